-- Limits that were the same for all functions belong to each version; what an invocation used is measured.

alter table function_versions
    add column init_timeout_ms integer not null default 10000 check (init_timeout_ms between 1 and 900000),
    add column tmp_inodes integer not null default 16384 check (tmp_inodes between 1 and 1048576),
    add column pids integer not null default 64 check (pids between 1 and 32768),
    add column nofile integer not null default 1024 check (nofile between 1 and 1048576),
    add column response_bytes bigint not null default 6291456 check (response_bytes between 1 and 104857600),
    add column log_bytes bigint not null default 262144 check (log_bytes between 0 and 16777216),
    add column isolation text not null default 'per_function' check (isolation in ('per_function', 'per_invocation'));

-- Whoever stores a version says all of it.
alter table function_versions
    alter column init_timeout_ms drop default,
    alter column tmp_inodes drop default,
    alter column pids drop default,
    alter column nofile drop default,
    alter column response_bytes drop default,
    alter column log_bytes drop default,
    alter column isolation drop default;

create or replace function function_spec(ref text, version integer) returns json language sql stable as $$
    select json_build_object(
        'function_id', f.function_id,
        'name', f.name,
        'version', v.version,
        'language', v.language,
        'runtime', v.runtime,
        'handler', v.handler,
        'environment', v.environment,
        'timeout_ms', v.timeout_ms,
        'init_timeout_ms', v.init_timeout_ms,
        'memory_limit_mb', v.memory_limit_mb,
        'cpu_millis', v.cpu_millis,
        'tmp_mb', v.tmp_mb,
        'tmp_inodes', v.tmp_inodes,
        'pids', v.pids,
        'nofile', v.nofile,
        'response_bytes', v.response_bytes,
        'log_bytes', v.log_bytes,
        'network', v.network,
        'isolation', v.isolation,
        'max_concurrency', v.max_concurrency,
        'package_sha256', v.package_sha256)
    from functions f
    join function_versions v
        on v.function_id = f.function_id
        and v.version = case function_spec.version when 0 then f.version else function_spec.version end
    where f.function_id = function_id_of(ref)
$$;

-- Null: the node could not measure it.
alter table metrics
    add column cpu_ms double precision check (cpu_ms >= 0),
    add column memory_peak_bytes bigint check (memory_peak_bytes >= 0);
