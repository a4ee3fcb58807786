-- Records come in order of time, nearly. An index that rises with them grows at its end, which costs PostgreSQL half as much as one
-- that falls; it is read backwards just as well.

create index metrics_function_rising_key on metrics (function_id, request_timestamp);
drop index metrics_function_time_key;
alter index metrics_function_rising_key rename to metrics_function_time_key;
