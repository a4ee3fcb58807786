-- What the rows of metrics add up to, by minute, hour and day (UTC): kept by the collectors in the transaction that stores the
-- rows, read by /metrics/…. All numbers but the largest can be added up again; fcgi/db/rollup.def says what each is.

create table metrics_minute (
    function_id uuid not null, -- all zeros: all functions together
    bucket timestamptz not null, -- its start
    version integer not null, -- 0: for all functions together
    runtime text not null, -- '': it never got a sandbox
    status integer not null,
    error_code text not null, -- '': success
    spool_id uuid not null, -- who adds to the row: each collector has rows of its own, and waits for no other
    requests bigint not null,
    cold bigint not null,
    prewarmed bigint not null,
    warm bigint not null,
    response_us bigint not null,
    queue_us bigint not null,
    init_us bigint not null,
    exec_us bigint not null,
    overhead_us bigint not null,
    cpu_us bigint not null,
    cpu_requests bigint not null, -- those whose processor time was measured
    memory_bytes bigint not null,
    memory_requests bigint not null, -- those whose memory was measured
    request_bytes bigint not null,
    response_bytes bigint not null,
    response_us_max bigint not null,
    queue_us_max bigint not null,
    init_us_max bigint not null,
    exec_us_max bigint not null,
    cpu_us_max bigint not null,
    memory_bytes_max bigint not null,
    response_histogram bytea not null, -- base/histogram.h
    queue_histogram bytea not null,
    init_histogram bytea not null,
    exec_histogram bytea not null,
    primary key (function_id, bucket, version, runtime, status, error_code, spool_id)
) partition by range (bucket);

-- Rows change often, and no index holds what changes: with room left on the page, a change stays on it.
create table metrics_hour (like metrics_minute including all) with (fillfactor = 60);
create table metrics_day (like metrics_minute including all) with (fillfactor = 60);

create index metrics_hour_bucket_key on metrics_hour using brin (bucket);

create or replace function ensure_metrics_partitions(day date) returns void language plpgsql set timezone = 'UTC' as $$
declare
    parent text;
    part text;
begin
    foreach parent in array array ['metrics', 'invocation_logs', 'metrics_minute'] loop
        part := parent || to_char(day, '_YYYYMMDD');
        continue when to_regclass(part) is not null;
        execute format('lock table only %I in share update exclusive mode', parent);
        continue when to_regclass(part) is not null;
        execute format('create table %I (like %I including defaults including constraints including storage)', part, parent);
        if parent = 'metrics_minute' then
            execute format('alter table %I set (fillfactor = 60)', part);
        end if;
        execute format('alter table %I attach partition %I for values from (%L) to (%L)',
            parent, part, day::timestamptz, (day + 1)::timestamptz);
    end loop;
end
$$;

-- Drops the partitions of that table for days before the given one; how many. Dropping needs a lock that waits for every
-- reader, while all others wait for it: rather than that it gives up, for another time.
create function drop_metrics_partitions(parent text, before date) returns integer language plpgsql
set timezone = 'UTC' set lock_timeout = '1s' as $$
declare
    part text;
    dropped integer := 0;
begin
    for part in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = to_regclass(parent) and c.relname < parent || to_char(before, '_YYYYMMDD')
        order by c.relname
    loop
        execute format('drop table %I', part);
        dropped := dropped + 1;
    end loop;
    return dropped;
end
$$;
