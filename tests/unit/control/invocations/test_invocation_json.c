/* An invocation as the API shows it, in a list and by itself. */
#include "tests/unit/control/api_rig.h"
#include "tests/unit/unit.h"

#define FUNCTION   "0198c0de-0000-7000-8000-000000000001"
#define FULL       "019c13f7-b200-7000-8000-000000000001"
#define NULLS      "019c13f7-b200-7000-8000-000000000002"
#define SPEECHLESS "019c13f7-b200-7000-8000-000000000003"

/* One that has of everything, one with NULL wherever it may be, and an error without a message. */
static int set_up(void **state)
{
	int rc = api_rig_start(state);

	pg_scratch_exec(
		pg,
		"do $$ begin perform ensure_metrics_partitions('2026-01-31'); end $$;"
		"insert into functions (function_id, name, version, status) values ('" FUNCTION "', 'f', null, 'deleted');"
		"insert into metrics (metric_id, function_id, version, alias, node, request_id, trace_id, caller,"
		" request_timestamp, response_time_ms, queue_ms, init_ms, exec_ms, overhead_ms, start_kind, runtime, status,"
		" error_flag, error_code, error_message, request_bytes, response_bytes, cpu_ms, background_cpu_ms,"
		" memory_peak_bytes) values"
		" ('" FULL "', '" FUNCTION "', 7, 'latest', 'node-1', 'req\"1', '0af76519-16cd-43dd-8448-eb211c80319c',"
		" '192.0.2.1', '2026-01-31 12:00:00.000042+00', 1234.567, 1, 20.001, 0.00005, 3e7, 'cold', 'gvisor', 502,"
		" true, 'function_error', 'K\xc3\xb6ln \"\\' || chr(10), 12, 9007199254740993, 4.5, 0.1, 52428800),"
		" ('" NULLS "', '" FUNCTION "', 0, null, '', '', null, null, '2026-01-31 12:00:00+00', 0, 0, 0, 0, 0, null,"
		" null, 429, false, null, null, 0, 0, null, 0, null),"
		" ('" SPEECHLESS "', '" FUNCTION
		"', 1, null, 'n', 'r', null, null, '2026-01-31 11:59:59.9+00', 1e3, 0, 0, 1e15,"
		" 0, 'warm', 'docker', 504, true, 'function_timeout', null, 0, 0, 0, 0, 0);"
		"insert into invocation_logs (metric_id, function_id, request_timestamp, log, times, streams, log_bytes,"
		" orphan_bytes) values ('" FULL "', '" FUNCTION "', '2026-01-31 12:00:00.000042+00', 'hi', '', '', 77, 0);"
		"update metrics set start_cause = 'one ended' where metric_id = '" FULL "'");
	return rc;
}

#define SHOWN_FULL                                                                                                             \
	"{\"id\":\"" FULL "\",\"function_id\":\"" FUNCTION "\",\"version\":7,\"alias\":\"latest\",\"node\":\"node-1\","        \
	"\"runtime\":\"gvisor\",\"start_kind\":\"cold\",\"start_cause\":\"one ended\",\"request_id\":\"req\\\"1\","            \
	"\"trace_id\":\"0af7651916cd43dd8448eb211c80319c\",\"caller\":\"192.0.2.1\","                                          \
	"\"requested_at\":\"2026-01-31T12:00:00.000042Z\",\"response_ms\":1234.567,\"queue_ms\":1,\"init_ms\":20.001,"         \
	"\"exec_ms\":0.00005,\"overhead_ms\":30000000,\"status\":502,"                                                         \
	"\"error\":{\"code\":\"function_error\",\"message\":\"K\xc3\xb6ln \\\"\\\\\\n\"},\"cpu_ms\":4.5,"                      \
	"\"background_cpu_ms\":0.1,\"memory_peak_bytes\":52428800,\"request_bytes\":12,"                                       \
	"\"response_bytes\":9007199254740993,\"log_bytes\":77}"

#define SHOWN_NULLS                                                                                                            \
	"{\"id\":\"" NULLS "\",\"function_id\":\"" FUNCTION "\",\"version\":0,\"alias\":null,\"node\":\"\","                   \
	"\"runtime\":null,\"start_kind\":null,\"start_cause\":null,\"request_id\":\"\",\"trace_id\":null,\"caller\":null,"     \
	"\"requested_at\":\"2026-01-31T12:00:00.000000Z\",\"response_ms\":0,\"queue_ms\":0,\"init_ms\":0,"                     \
	"\"exec_ms\":0,\"overhead_ms\":0,\"status\":429,\"error\":null,\"cpu_ms\":null,\"background_cpu_ms\":0,"               \
	"\"memory_peak_bytes\":null,\"request_bytes\":0,\"response_bytes\":0,\"log_bytes\":0}"

#define SHOWN_SPEECHLESS                                                                                                       \
	"{\"id\":\"" SPEECHLESS "\",\"function_id\":\"" FUNCTION "\",\"version\":1,\"alias\":null,\"node\":\"n\","             \
	"\"runtime\":\"docker\",\"start_kind\":\"warm\",\"start_cause\":null,\"request_id\":\"r\",\"trace_id\":null,"          \
	"\"caller\":null,"                                                                                                     \
	"\"requested_at\":\"2026-01-31T11:59:59.900000Z\",\"response_ms\":1000,\"queue_ms\":0,\"init_ms\":0,"                  \
	"\"exec_ms\":1e15,\"overhead_ms\":0,\"status\":504,"                                                                   \
	"\"error\":{\"code\":\"function_timeout\",\"message\":null},\"cpu_ms\":0,\"background_cpu_ms\":0,"                     \
	"\"memory_peak_bytes\":0,\"request_bytes\":0,\"response_bytes\":0,\"log_bytes\":0}"

static void one_is_shown_with_all_that_is_known_and_null_for_what_is_not(void **state)
{
	(void)state;
	api_rig_answers("/invocations/" FULL, SHOWN_FULL);
	api_rig_answers("/invocations/" NULLS, SHOWN_NULLS);
	api_rig_answers("/invocations/" SPEECHLESS, SHOWN_SPEECHLESS);
}

static void a_list_shows_the_same_of_each_and_where_it_goes_on(void **state)
{
	(void)state;
	api_rig_answers("/functions/" FUNCTION "/invocations",
			"{\"items\":[" SHOWN_FULL "," SHOWN_NULLS "," SHOWN_SPEECHLESS "],\"next\":null}");
	api_rig_answers("/functions/" FUNCTION "/invocations?limit=1",
			"{\"items\":[" SHOWN_FULL "],\"next\":\"1769860800000042." FULL "\"}");
	api_rig_answers("/functions/" FUNCTION "/invocations?cursor=1769860800000042." FULL,
			"{\"items\":[" SHOWN_NULLS "," SHOWN_SPEECHLESS "],\"next\":null}");
	api_rig_answers("/functions/" FUNCTION "/invocations?from=2026-01-31T12:00:00Z&to=2026-01-31T12:00:00.000042Z",
			"{\"items\":[" SHOWN_NULLS "],\"next\":null}");
}

static void a_request_is_found_by_its_id(void **state)
{
	(void)state;
	api_rig_answers("/invocations?request_id=r&from=2026-01-31T00:00:00Z",
			"{\"items\":[" SHOWN_SPEECHLESS "],\"next\":null}");
	api_rig_answers("/invocations?request_id=r", "{\"items\":[],\"next\":null}"); /* it is older than a day */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_shown_with_all_that_is_known_and_null_for_what_is_not),
		cmocka_unit_test(a_request_is_found_by_its_id),
		cmocka_unit_test(a_list_shows_the_same_of_each_and_where_it_goes_on),
	};

	return cmocka_run_group_tests(tests, set_up, api_rig_stop);
}
