-- Which of what is in log is an entry of a level (log_levels in fcgi/ipc/record.def). The default is for the collector of the berthd
-- before, which goes on for a while.
alter table invocation_logs add column levels bytea not null default '';
