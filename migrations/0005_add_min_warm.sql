-- How many sandboxes of a version are kept initialised, requests or not.

alter table function_versions
    add column min_warm integer not null default 0 check (min_warm between 0 and max_concurrency);

-- Whoever stores a version says all of it.
alter table function_versions alter column min_warm drop default;

-- The few functions that have any are looked for again and again.
create index function_versions_min_warm_key on function_versions (function_id, version) where min_warm > 0;

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
        'min_warm', v.min_warm,
        'package_sha256', v.package_sha256)
    from functions f
    join function_versions v
        on v.function_id = f.function_id
        and v.version = case function_spec.version when 0 then f.version else function_spec.version end
    where f.function_id = function_id_of(ref)
$$;
