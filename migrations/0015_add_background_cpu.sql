-- Processor time that a sandbox uses between the end of one invocation and the start of the next. The defaults are for the collector of
-- the berthd before, which goes on for a while.
alter table metrics add column background_cpu_ms double precision not null default 0 check (background_cpu_ms >= 0);
alter table metrics_minute add column background_us bigint not null default 0;
alter table metrics_hour add column background_us bigint not null default 0;
alter table metrics_day add column background_us bigint not null default 0;
