-- Functions, their immutable versions, and the packages they share.

create table packages (
    sha256 text primary key check (sha256 = encode(sha256(archive), 'hex')),
    archive bytea not null,
    size bigint not null check (size = octet_length(archive)),
    created_at timestamptz not null default now()
);
-- Archives are compressed already.
alter table packages alter column archive set storage external;

-- A deleted function keeps its row, so that its metrics keep a name; it has no version any more, and its name is free.
create table functions (
    function_id uuid primary key,
    -- A name never looks like an id: either can address a function.
    name text not null check (
        char_length(name) between 1 and 255
        and name !~ '[[:cntrl:]]'
        and name !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'
    ),
    version integer check (version > 0),
    status text not null default 'active' check (status in ('active', 'deleted')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check ((version is null) = (status = 'deleted'))
);
create unique index functions_name_key on functions (name) where status <> 'deleted';

create table function_versions (
    function_id uuid not null references functions,
    version integer not null check (version > 0),
    language text not null check (language ~ '^[a-z][a-z0-9_-]{0,62}$'),
    runtime text not null check (runtime ~ '^[a-z][a-z0-9_-]{0,62}$'),
    handler text not null check (handler <> ''),
    environment jsonb not null default '{}' check (jsonb_typeof(environment) = 'object'),
    timeout_ms integer not null check (timeout_ms between 1 and 900000),
    memory_limit_mb integer not null check (memory_limit_mb between 1 and 1048576),
    cpu_millis integer not null check (cpu_millis between 1 and 1000000),
    tmp_mb integer not null check (tmp_mb between 0 and 65536),
    network text not null check (network in ('none', 'egress')),
    max_concurrency integer not null check (max_concurrency between 1 and 10000),
    package_sha256 text not null references packages,
    created_at timestamptz not null default now(),
    primary key (function_id, version)
);
create index function_versions_package_key on function_versions (package_sha256);

-- Deferred: a function and its first version come into being together.
alter table functions add foreign key (function_id, version) references function_versions deferrable initially deferred;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% are immutable', tg_table_name using errcode = 'restrict_violation';
end
$$;

create trigger immutable before update on function_versions for each row execute function refuse_change();

-- Whoever caches functions listens on berth_functions. Version 0: the function is gone.
create function notify_function_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('berth_functions',
        format('{"function_id":"%s","version":%s}', new.function_id, coalesce(new.version, 0)));
    return null;
end
$$;

create trigger notify_created after insert on functions for each row execute function notify_function_changed();
create trigger notify_changed after update of version on functions for each row
    when (old.version is distinct from new.version) execute function notify_function_changed();

-- The id of the function that ref, an id or a name, stands for; null when there is none.
create function function_id_of(ref text) returns uuid language plpgsql stable as $$
begin
    if ref ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
        return (select f.function_id from functions f where f.function_id = ref::uuid and f.status <> 'deleted');
    end if;
    return (select f.function_id from functions f where f.name = ref and f.status <> 'deleted');
end
$$;

-- One version of a function (0: the current one) with the members of fcgi/ipc/spec.def; null when there is none.
create function function_spec(ref text, version integer) returns json language sql stable as $$
    select json_build_object(
        'function_id', f.function_id,
        'name', f.name,
        'version', v.version,
        'language', v.language,
        'runtime', v.runtime,
        'handler', v.handler,
        'environment', v.environment,
        'timeout_ms', v.timeout_ms,
        'memory_limit_mb', v.memory_limit_mb,
        'cpu_millis', v.cpu_millis,
        'tmp_mb', v.tmp_mb,
        'network', v.network,
        'max_concurrency', v.max_concurrency,
        'package_sha256', v.package_sha256)
    from functions f
    join function_versions v
        on v.function_id = f.function_id
        and v.version = case function_spec.version when 0 then f.version else function_spec.version end
    where f.function_id = function_id_of(ref)
$$;

-- Removes the versions of a function, and the packages that no other function uses.
--
-- The caller has locked the function's row. Whoever stores a version holds a lock on the row of its package until it commits
-- (see db_functions.c). So once the packages are locked here, every version that uses one of them is either committed, and seen
-- by the last statement, whose snapshot is taken after the locks; or its writer waits for this transaction and then finds the
-- package gone and stores it again. Packages are locked in order, so that two deletions cannot block each other.
create function delete_function_versions(of_function uuid) returns void language plpgsql as $$
declare
    used text[];
begin
    select array_agg(locked.sha256) into used
    from (
        select p.sha256
        from packages p
        where p.sha256 in (select v.package_sha256 from function_versions v where v.function_id = of_function)
        order by p.sha256
        for update
    ) locked;

    delete from function_versions v where v.function_id = of_function;

    delete from packages p
    where p.sha256 = any (used)
        and not exists (select from function_versions v where v.package_sha256 = p.sha256);
end
$$;
