/* The limits on the size of output and log. */
#include "run/invocation.h"

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/run/invocation_rig.h"

/* ---- Limits of the function ---- */

static void answer_eight_bytes(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	for (int i = 0; i < 3; i++) {
		expect_invoke(control, &payload);
		fd_write_all(log, "0123456789", 10, NULL);
		fake_agent_result(control, ID, "\"123456\"");
	}
	fake_agent_wait_for_close(control);
}

static void an_output_may_have_the_functions_response_bytes_and_no_more(void **state)
{
	struct fixture *f = *state;

	start_agent(f, answer_eight_bytes);
	f->lease.response_bytes = 8;
	invoke(f);
	assert_output(f, "\"123456\"");
	f->lease.response_bytes = 7;
	invoke(f);
	assert_failed(f, PROBLEM_RESPONSE_TOO_LARGE, 0);
	assert_int_equal(problem_member(f, "limit"), 7);
	assert_int_equal(problem_member(f, "actual"), 8);
	f->lease.response_bytes = 8;
	invoke(f);
	assert_output(f, "\"123456\"");
	assert_script_ended_well(f);
}

static void announce_a_megabyte(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fd_write_all(control, "\0\x10\0\0\x06", 5, NULL);
	fake_agent_wait_for_close(control);
}

static void no_frame_far_beyond_the_functions_response_bytes_is_waited_for(void **state)
{
	struct fixture *f = *state;

	f->lease.response_bytes = 1024;
	run_script(f, announce_a_megabyte);
	assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_PROTOCOL);
	assert_script_ended_well(f);
}

static void of_a_log_the_functions_log_bytes_are_kept(void **state)
{
	struct fixture *f = *state;
	static const char *const kept[] = {"0123456789", "0123", ""};

	start_agent(f, answer_eight_bytes);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		f->lease.log_bytes = (uint32_t)strlen(kept[i]);
		invoke(f);
		assert_output(f, "\"123456\"");
		assert_log(f, kept[i]);
		assert_int_equal(f->outcome.log_bytes, 10);
	}
	assert_script_ended_well(f);
}

static void say_too_large(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR,
			"{\"invocation_id\":\"" ID "\",\"kind\":\"response_too_large\",\"size_bytes\":2000000}");
	fake_agent_wait_for_close(control);
}

static void an_output_over_the_limit_is_refused_with_its_size(void **state)
{
	struct fixture *f = *state;

	run_script(f, say_too_large);
	assert_failed(f, PROBLEM_RESPONSE_TOO_LARGE, 0);
	assert_int_equal(json_integer_value(json_object_get(f->outcome.problem.members, "limit")), 1 << 20);
	assert_int_equal(json_integer_value(json_object_get(f->outcome.problem.members, "actual")), 2000000);
}

static void send_too_large(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};
	AUTO(mem_free) char *output = malloc((1 << 20) + 2);

	(void)log;
	memset(output, '1', (1 << 20) + 1);
	output[(1 << 20) + 1] = '\0';
	expect_invoke(control, &payload);
	fake_agent_result(control, ID, output);
	fake_agent_wait_for_close(control);
}

static void an_agent_that_does_not_check_the_size_is_checked(void **state)
{
	run_script(*state, send_too_large);
	assert_failed(*state, PROBLEM_RESPONSE_TOO_LARGE, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, invocation_set_up, invocation_tear_down)
		TEST(an_output_may_have_the_functions_response_bytes_and_no_more),
		TEST(no_frame_far_beyond_the_functions_response_bytes_is_waited_for),
		TEST(of_a_log_the_functions_log_bytes_are_kept),
		TEST(an_output_over_the_limit_is_refused_with_its_size),
		TEST(an_agent_that_does_not_check_the_size_is_checked),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
