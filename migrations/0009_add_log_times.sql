-- When what is in log was printed (log_times in fcgi/ipc/record.def).

alter table invocation_logs add column times bytea not null default '';
alter table invocation_logs alter column times drop default;
