-- How each machine was every minute; fcgi/db/sample.def says what the columns are.

create table system_samples (
    node text not null,
    at timestamptz not null,
    cpu_cores double precision not null,
    cpu_count double precision not null,
    memory_bytes double precision not null,
    memory_total_bytes double precision not null,
    disk_bytes double precision not null,
    disk_total_bytes double precision not null,
    spool_bytes double precision not null,
    dropped_records double precision not null,
    waiting double precision not null,
    sandboxes_starting double precision not null,
    sandboxes_spare double precision not null,
    sandboxes_idle double precision not null,
    sandboxes_busy double precision not null,
    spares_wanted double precision not null,
    sandbox_memory_mb double precision not null,
    primary key (at, node)
);
