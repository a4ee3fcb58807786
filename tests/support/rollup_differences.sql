-- Recomputes the rollups from the single invocations, for tests: rollup_differences() is how many rows differ, in any column.
-- What sandboxes used after their last invocation is of none, and left out, along with rows that have nothing else.
-- Histograms are compared bucket by bucket (fcgi/base/histogram.h says how they are written).

create or replace function histogram_buckets(bytes bytea) returns table (bucket integer, hits bigint) language plpgsql as $$
declare
    at integer := 1; -- behind the format
    part integer;
    value bigint;
    shift integer;
    previous integer := -1;
    is_count boolean := false;
begin
    while at < length(bytes) loop
        value := 0;
        shift := 0;
        loop
            part := get_byte(bytes, at);
            at := at + 1;
            value := value | ((part & 127)::bigint << shift);
            shift := shift + 7;
            exit when part < 128;
        end loop;
        if is_count then
            bucket := previous;
            hits := value;
            return next;
        else
            previous := previous + value;
        end if;
        is_count := not is_count;
    end loop;
end
$$;

create or replace function raw_rollups(unit text) returns table (
    function_id uuid, bucket timestamptz, version integer, runtime text, status integer, error_code text, figures bigint[]
) language sql set timezone = 'UTC' as $$
    with raw as (
        select
            m.*, date_trunc(unit, request_timestamp) as bucket,
            round(response_time_ms * 1000)::bigint as response_us, round(queue_ms * 1000)::bigint as queue_us,
            round(init_ms * 1000)::bigint as init_us, round(exec_ms * 1000)::bigint as exec_us,
            round(overhead_ms * 1000)::bigint as overhead_us, round(cpu_ms * 1000)::bigint as cpu_us
        from metrics m
    ), both_ways as (
        select function_id as of_function, version as of_version, * from raw
        union all
        select '00000000-0000-0000-0000-000000000000', 0, * from raw
    )
    select
        of_function, bucket, of_version, coalesce(runtime, ''), status, coalesce(error_code, ''),
        array [
            count(*), count(*) filter (where start_kind = 'cold'), count(*) filter (where start_kind = 'prewarmed'),
            count(*) filter (where start_kind = 'warm'), sum(response_us)::bigint, sum(queue_us)::bigint,
            sum(init_us)::bigint, sum(exec_us)::bigint, sum(overhead_us)::bigint, coalesce(sum(cpu_us), 0)::bigint,
            count(cpu_us), coalesce(sum(memory_peak_bytes), 0)::bigint, count(memory_peak_bytes),
            sum(request_bytes)::bigint, sum(response_bytes)::bigint, max(response_us), max(queue_us), max(init_us),
            max(exec_us), coalesce(max(cpu_us), 0), coalesce(max(memory_peak_bytes), 0)
        ]
    from both_ways
    group by 1, 2, 3, 4, 5, 6
$$;

create or replace function kept_rollups(unit text) returns table (
    function_id uuid, bucket timestamptz, version integer, runtime text, status integer, error_code text, figures bigint[]
) language plpgsql as $$
begin
    return query execute format(
        'select function_id, bucket, version, runtime, status, error_code, array [
            sum(requests)::bigint, sum(cold)::bigint, sum(prewarmed)::bigint, sum(warm)::bigint, sum(response_us)::bigint,
            sum(queue_us)::bigint, sum(init_us)::bigint, sum(exec_us)::bigint, sum(overhead_us)::bigint, sum(cpu_us)::bigint,
            sum(cpu_requests)::bigint, sum(memory_bytes)::bigint, sum(memory_requests)::bigint, sum(request_bytes)::bigint,
            sum(response_bytes)::bigint, max(response_us_max), max(queue_us_max), max(init_us_max), max(exec_us_max),
            max(cpu_us_max), max(memory_bytes_max)
        ] from %I group by 1, 2, 3, 4, 5, 6 having sum(requests) > 0', 'metrics_' || unit);
end
$$;

create or replace function raw_buckets(unit text) returns table (bucket_time timestamptz, kind text, bucket integer, hits bigint)
language sql set timezone = 'UTC' as $$
    select date_trunc(unit, m.request_timestamp), v.kind,
        case when v.us = 0 then 0 else 1 + floor(ln(v.us::double precision) / ln(1.04::double precision))::integer end, count(*)
    from metrics m, lateral (values
        ('response', round(m.response_time_ms * 1000)::bigint), ('queue', round(m.queue_ms * 1000)::bigint),
        ('init', round(m.init_ms * 1000)::bigint), ('exec', round(m.exec_ms * 1000)::bigint)) as v (kind, us)
    where v.kind in ('response', 'queue') or v.us > 0
    group by 1, 2, 3
$$;

create or replace function kept_buckets(unit text, of_all boolean)
returns table (bucket_time timestamptz, kind text, bucket integer, hits bigint) language plpgsql as $$
begin
    return query execute format(
        'select m.bucket, v.kind, h.bucket, sum(h.hits)::bigint from %I m, lateral (values
            (''response'', response_histogram), (''queue'', queue_histogram), (''init'', init_histogram),
            (''exec'', exec_histogram)) as v (kind, bytes), lateral histogram_buckets(v.bytes) as h
        where (m.function_id = ''00000000-0000-0000-0000-000000000000'') = $1 group by 1, 2, 3', 'metrics_' || unit)
    using of_all;
end
$$;

create or replace function rollup_differences() returns bigint language plpgsql as $$
declare
    unit text;
    differences bigint := 0;
begin
    foreach unit in array array ['minute', 'hour', 'day'] loop
        differences := differences
            + (select count(*) from (select * from raw_rollups(unit) except all select * from kept_rollups(unit)) d)
            + (select count(*) from (select * from kept_rollups(unit) except all select * from raw_rollups(unit)) d)
            + (select count(*) from (select * from raw_buckets(unit) except all select * from kept_buckets(unit, true)) d)
            + (select count(*) from (select * from kept_buckets(unit, true) except all select * from raw_buckets(unit)) d)
            + (select count(*) from (select * from raw_buckets(unit) except all select * from kept_buckets(unit, false)) d)
            + (select count(*) from (select * from kept_buckets(unit, false) except all select * from raw_buckets(unit)) d);
    end loop;
    return differences;
end
$$;
