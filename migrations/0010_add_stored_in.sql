-- Which transaction stored a log. Who follows the logs reads them in that order, up to the oldest transaction that has not ended:
-- whatever is stored later belongs to a later one, so none is missed, however long its invocation took.

alter table invocation_logs add column stored_in bigint not null default pg_current_xact_id()::text::bigint;

-- Rows lie in that order on the disk, nearly.
create index invocation_logs_stored_key on invocation_logs using brin (stored_in) with (pages_per_range = 16, autosummarize = on);
