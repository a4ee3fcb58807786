-- Where an invocation came from and where it ran.

alter table metrics
    add column alias text, -- the name that stood for the version; null: the caller gave its number
    add column node text not null default '',
    add column trace_id uuid, -- null: recorded before there were traces
    add column caller text, -- user, or network address
    add column overhead_ms double precision not null default 0; -- what waiting, loading and running leave of response_time_ms

-- Whoever stores a row says all of it.
alter table metrics alter column node drop default, alter column overhead_ms drop default;
