-- Finds the invocations of a request. Of every 16 pages of the table it has a Bloom filter, which is made when they are full. So it costs
-- nothing when a row is stored, and 1 MB for a million rows; a search reads what the filters let through and the newest pages.

create index metrics_request_key on metrics using brin (request_id text_bloom_ops) with (pages_per_range = 16, autosummarize = on);
