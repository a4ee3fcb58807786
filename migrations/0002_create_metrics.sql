-- One row per invocation, written by the collector alone; a partition per day (UTC), so that old days are dropped whole.

create table metrics (
    metric_id uuid not null, -- the id of the invocation
    function_id uuid not null,
    version integer not null check (version >= 0),
    request_id text not null,
    request_timestamp timestamptz not null,
    response_time_ms double precision not null,
    queue_ms double precision not null,
    init_ms double precision not null,
    exec_ms double precision not null,
    start_kind text check (start_kind in ('warm', 'prewarmed', 'cold')), -- null: it never got a sandbox
    runtime text,
    status integer not null check (status between 100 and 599),
    error_flag boolean not null,
    error_code text,
    error_message text,
    request_bytes bigint not null check (request_bytes >= 0),
    response_bytes bigint not null check (response_bytes >= 0),
    check (error_flag = (error_code is not null)),
    primary key (metric_id, request_timestamp)
) partition by range (request_timestamp);
create index metrics_function_time_key on metrics (function_id, request_timestamp desc);

-- Only invocations that printed something have a row here.
create table invocation_logs (
    metric_id uuid not null,
    function_id uuid not null,
    request_timestamp timestamptz not null,
    log bytea not null, -- as printed, which need not be text
    log_bytes bigint not null check (log_bytes >= 0), -- printed in all; more than log holds when it was cut
    orphan_bytes bigint not null check (orphan_bytes >= 0), -- printed since the invocation before, and not kept
    primary key (metric_id, request_timestamp)
) partition by range (request_timestamp);

-- Makes the partitions of that day, <table>_YYYYMMDD, unless they are there.
--
-- Attaching a table that is made beforehand keeps readers and writers of the other partitions going, which
-- "create table … partition of" would not. The lock, which attaching needs anyway, lets one transaction at a time make
-- partitions, and having got it this one knows what others have made meanwhile.
create function ensure_metrics_partitions(day date) returns void language plpgsql set timezone = 'UTC' as $$
declare
    parent text;
    part text;
begin
    foreach parent in array array ['metrics', 'invocation_logs'] loop
        part := parent || to_char(day, '_YYYYMMDD');
        continue when to_regclass(part) is not null;
        execute format('lock table only %I in share update exclusive mode', parent);
        continue when to_regclass(part) is not null;
        execute format('create table %I (like %I including defaults including constraints including storage)', part, parent);
        execute format('alter table %I attach partition %I for values from (%L) to (%L)',
            parent, part, day::timestamptz, (day + 1)::timestamptz);
    end loop;
end
$$;
