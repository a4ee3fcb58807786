-- Each kind of process has a role of its own with just the rights its work needs. All belongs to the role that runs the
-- migrations, which no process is; invoke workers and the warden have no role.

-- Partitions belong to the owner of their table. The collector asks for them, and for nothing else that only an owner may do; what
-- is of today or to come, nobody may have dropped.
alter function ensure_metrics_partitions(date) security definer set search_path = public, pg_temp;

create or replace function drop_metrics_partitions(parent text, before date) returns integer language plpgsql
security definer set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '1s' as $$
declare
    part text;
    dropped integer := 0;
begin
    if parent not in ('metrics', 'invocation_logs', 'metrics_minute') then
        raise exception 'partitions of % are nobody''s to drop', parent using errcode = 'invalid_parameter_value';
    end if;
    if before > current_date then
        raise exception 'partitions of today stay' using errcode = 'invalid_parameter_value';
    end if;
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

revoke execute on function ensure_metrics_partitions(date), drop_metrics_partitions(text, date) from public;

-- The rights of a kind of process, as privilege and what it is on. A table that a later migration makes gets its rows here.
create function process_rights(process text) returns table (privilege text, target text) language sql immutable as $$
    select r.privilege, r.target
    from (values
        ('control', 'select', 'functions'),
        ('control', 'insert', 'functions'),
        ('control', 'update (name, version, status, updated_at)', 'functions'),
        ('control', 'select', 'function_versions'),
        ('control', 'insert', 'function_versions'),
        ('control', 'delete', 'function_versions'),
        ('control', 'select', 'packages'),
        ('control', 'insert', 'packages'),
        ('control', 'update (size)', 'packages'), -- locks a row, and changes nothing: db_functions.c
        ('control', 'delete', 'packages'),
        ('control', 'select', 'metrics'),
        ('control', 'select', 'invocation_logs'),
        ('control', 'select', 'metrics_minute'),
        ('control', 'select', 'metrics_hour'),
        ('control', 'select', 'metrics_day'),
        ('control', 'select', 'system_samples'),

        ('follow', 'select (function_id, name, status)', 'functions'),
        ('follow', 'select', 'metrics'),
        ('follow', 'select', 'invocation_logs'),

        ('poolmgr', 'select', 'functions'),
        ('poolmgr', 'select', 'function_versions'),
        ('poolmgr', 'select', 'packages'),

        ('collector', 'insert', 'metrics'),
        ('collector', 'insert', 'invocation_logs'),
        ('collector', 'select', 'metrics_minute'),
        ('collector', 'insert', 'metrics_minute'),
        ('collector', 'update', 'metrics_minute'),
        ('collector', 'select', 'metrics_hour'),
        ('collector', 'insert', 'metrics_hour'),
        ('collector', 'update', 'metrics_hour'),
        ('collector', 'delete', 'metrics_hour'),
        ('collector', 'select', 'metrics_day'),
        ('collector', 'insert', 'metrics_day'),
        ('collector', 'update', 'metrics_day'),
        ('collector', 'select', 'system_samples'),
        ('collector', 'insert', 'system_samples'),
        ('collector', 'delete', 'system_samples'),
        ('collector', 'select', 'spool_offsets'),
        ('collector', 'insert', 'spool_offsets'),
        ('collector', 'update', 'spool_offsets'),
        ('collector', 'delete', 'spool_offsets'),
        ('collector', 'execute', 'function ensure_metrics_partitions(date)'),
        ('collector', 'execute', 'function drop_metrics_partitions(text, date)')
    ) as r (process, privilege, target)
    where r.process = process_rights.process
$$;

-- Gives a role the rights of one kind of process, and takes all others that it has here. scripts/migrate --grant calls it.
create function grant_process_rights(process text, to_role name) returns void language plpgsql as $$
declare
    r record;
begin
    if not exists (select from process_rights(process)) then
        raise exception 'there is no kind of process called %', process;
    end if;
    execute format('revoke all on all tables in schema public from %I', to_role);
    execute format('revoke all on all functions in schema public from %I', to_role);
    for r in select * from process_rights(process) loop
        execute format('grant %s on %s to %I', r.privilege, r.target, to_role);
    end loop;
end
$$;
revoke execute on function grant_process_rights(text, name) from public;
