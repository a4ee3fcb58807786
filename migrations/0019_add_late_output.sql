-- What a function prints after its answer is a row of its own beside that of the invocation: of the time at which it was read, with
-- the time of the invocation in late_for. Both have the invocation's id. orphan_bytes was the number of its bytes, when it was not
-- kept; the default is for a collector that does not know it any more, and the column for that of the berthd before, which goes on for
-- a while.
alter table invocation_logs add column late_for timestamptz;
alter table invocation_logs alter column orphan_bytes set default 0;
-- Why the sandbox was started, if not because one more was needed.
alter table metrics add column start_cause text;
