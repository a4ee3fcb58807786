/* GET /limits. */
#include "tests/unit/control/control_rig.h"

static void the_limits_are_those_of_the_validation(void **state)
{
	struct fixture *f = *state;

	assert_status(f, call(f, "GET", "/limits", ""), 200);
	assert_has(f, "\"timeout_ms\":{\"type\":\"integer\",\"required\":false,\"min\":100,\"max\":900000,\"default\":3000}");
	assert_has(f, "\"values\":[\"python\"]");
	assert_has(f, "\"pids\":{\"type\":\"integer\",\"required\":false,\"min\":8,\"max\":1024,\"default\":64}");
	assert_has(f,
		   "\"languages\":{\"python\":{\"default_version\":\"2\",\"versions\":["
		   "{\"version\":\"1\",\"end_of_life\":\"2020-12-31\"},{\"version\":\"2\",\"end_of_life\":\"2100-12-31\"}]}}");
	const json_t *invocation = json_object_get(f->answer, "invocation");
	assert_int_equal(json_object_size(invocation), 2);
	assert_int_equal(json_integer_value(json_object_get(invocation, "request_bytes")), 6291456);
	assert_int_equal(json_integer_value(json_object_get(invocation, "queue_timeout_ms")), 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, control_rig_set_up, control_rig_tear_down)
		TEST(the_limits_are_those_of_the_validation),
#undef TEST
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
