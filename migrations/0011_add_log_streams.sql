-- Which of what is in log went to stderr (log_streams in fcgi/ipc/record.def).

alter table invocation_logs add column streams bytea not null default '';
alter table invocation_logs alter column streams drop default;
