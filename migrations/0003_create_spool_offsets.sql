-- How much of each spool file is stored. Advanced in the transaction that stores the records: each is stored exactly once.

create table spool_offsets (
    file_name text primary key,
    spool_id uuid not null, -- the spool directory: every node has its own
    byte_offset bigint not null check (byte_offset >= 0),
    updated_at timestamptz not null default now()
);
create index spool_offsets_spool_key on spool_offsets (spool_id);
