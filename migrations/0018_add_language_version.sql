-- The version of its language that a version of a function runs on. Those stored before ran on the only one that there was, and so do
-- those that the control workers of the berthd before store, which go on for a while and do not know the column.
alter table function_versions add column language_version text not null default '';

alter table function_versions disable trigger immutable;
update function_versions set language_version = case language when 'python' then '3.11' else '18' end;
alter table function_versions enable trigger immutable;

create function take_language_version_before() returns trigger language plpgsql as $$
begin
    new.language_version := case new.language when 'python' then '3.11' else '18' end;
    return new;
end
$$;
create trigger take_language_version_before before insert on function_versions for each row
    when (new.language_version = '') execute function take_language_version_before();
