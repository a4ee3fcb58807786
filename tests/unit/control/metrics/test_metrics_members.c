/* Metrics of a period, and logs, as the API shows them: all members are described, whether anything happened or not. */
#include "tests/unit/control/api_rig.h"
#include "tests/unit/unit.h"

#define FUNCTION   "0198c0de-0000-7000-8000-000000000001"
#define INVOCATION "019c13f7-b200-7000-8000-000000000001"

static int set_up(void **state)
{
	int rc = api_rig_start(state);

	pg_scratch_exec(
		pg, "do $$ begin perform ensure_metrics_partitions('2026-01-31'); end $$;"
		    "insert into functions (function_id, name, version, status) values ('" FUNCTION "', 'f', null, 'deleted');"
		    "insert into metrics (metric_id, function_id, version, node, request_id, request_timestamp,"
		    " response_time_ms, queue_ms, init_ms, exec_ms, overhead_ms, status, error_flag, error_code, error_message,"
		    " request_bytes, response_bytes) values"
		    " ('" INVOCATION "', '" FUNCTION "', 1, 'n', 'r', '2026-01-31 12:00:00+00', 1, 0, 0, 1, 0, 502, true,"
		    " 'function_error', 'no', 0, 0);"
		    "insert into invocation_logs (metric_id, function_id, request_timestamp, log, times, streams, levels, "
		    "log_bytes, late_for)"
		    " values ('" INVOCATION "', '" FUNCTION "', '2026-01-31 12:00:00+00', E'one\ntwo\nthree\n', '', '',"
		    " '\\x00080800', 77, null),"
		    " ('" INVOCATION "', '" FUNCTION "', '2026-01-31 12:00:05+00', E'four\n', '', '',"
		    " '', 5, '2026-01-31 12:00:00+00')");
	return rc;
}

static void a_period_of_one_function_has_its_points(void **state)
{
	AUTO(json_decrefp) json_t *json = api_rig_get("/metrics/functions/" FUNCTION "?from=0&to=120&step=86400", 200);

	(void)state;
	assert_int_equal(json_array_size(json_object_get(json, "points")), 1);
}

static void a_period_of_all_functions_has_the_machines(void **state)
{
	AUTO(json_decrefp) json_t *json = api_rig_get("/metrics/system?from=0&to=120&step=86400", 200);
	const json_t *point = json_array_get(json_object_get(json, "points"), 0);

	(void)state;
	assert_true(json_object_size(json_object_get(point, "machines")) > 0);
}

static void runtimes_stand_side_by_side(void **state)
{
	AUTO(json_decrefp) json_t *json = api_rig_get("/metrics/runtimes?from=0&to=120&function=" FUNCTION, 200);

	(void)state;
	assert_true(json_object_size(json_object_get(json, "runtimes")) > 1);
}

static void a_log_has_its_lines_and_what_the_platform_says(void **state)
{
	AUTO(json_decrefp) json_t *json = api_rig_get("/invocations/" INVOCATION "/logs", 200);

	(void)state;
	const json_t *lines = json_object_get(json, "lines"), *entry = json_array_get(lines, 0);
	assert_int_equal(json_array_size(lines), 5);
	assert_string_equal(json_string_value(json_object_get(entry, "level")), "warning");
	assert_string_equal(json_string_value(json_object_get(entry, "text")), "one\ntwo");
	assert_true(json_is_true(json_object_get(json_array_get(lines, 4), "late")));
	assert_int_equal(json_integer_value(json_object_get(json, "late_bytes")), 5);
}

static void what_is_wrong_with_a_question_is_told(void **state)
{
	(void)state;
	json_decref(api_rig_get("/metrics/functions/nothing", 404));
	json_decref(api_rig_get("/metrics/system?step=61", 400));
	json_decref(api_rig_get("/functions?colour=red", 400));
	json_decref(api_rig_get("/invocations/x", 404));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_period_of_one_function_has_its_points),
		cmocka_unit_test(a_period_of_all_functions_has_the_machines),
		cmocka_unit_test(runtimes_stand_side_by_side),
		cmocka_unit_test(a_log_has_its_lines_and_what_the_platform_says),
		cmocka_unit_test(what_is_wrong_with_a_question_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, api_rig_stop);
}
