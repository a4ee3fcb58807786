/* Messages that an agent sends instead of an answer, or without a request. */
#include "run/invocation.h"

#include <poll.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/run/invocation_rig.h"

static void raise_error(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR,
			"{\"invocation_id\":\"" ID
			"\",\"kind\":\"function\",\"type\":\"KeyError\",\"message\":\"'a'\",\"stack\":[]}");
	fake_agent_wait_for_close(control);
}

static void an_error_of_the_function_leaves_its_sandbox_in_use(void **state)
{
	struct fixture *f = *state;

	run_script(f, raise_error);
	assert_failed(f, PROBLEM_FUNCTION_ERROR, 0);
	assert_string_equal(f->outcome.problem.detail, "KeyError: 'a'");
	assert_script_ended_well(f);
}

static void raise_error_and_exit(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR, "{\"invocation_id\":\"" ID "\",\"kind\":\"function\",\"exiting\":true}");
}

static void an_error_after_which_the_agent_exits_ends_the_sandbox(void **state)
{
	run_script(*state, raise_error_and_exit);
	assert_failed(*state, PROBLEM_FUNCTION_ERROR, COUNT_KILL_EXITED_ERROR);
}

static void send_no_json(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_result(control, ID, "{\"a\":NaN}");
	fake_agent_wait_for_close(control);
}

static void an_output_that_is_no_json_is_never_passed_on(void **state)
{
	run_script(*state, send_no_json);
	assert_failed(*state, PROBLEM_INVALID_OUTPUT, COUNT_KILL_FORGED);
}

/* Each of these breaks the protocol in a different way. */
static void send_garbage(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fd_write_all(control, "\0\0\0\1\x7fzzzzzzzzzz", 15, NULL);
	fake_agent_wait_for_close(control);
}

static void send_a_huge_header(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fd_write_all(control, "\xff\xff\xff\xff\x06", 5, NULL);
	fake_agent_wait_for_close(control);
}

static void answer_other_invocations(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_result(control, "inv-0", "1");
	fake_agent_result(control, REQUEST_ID, "1");
	fake_agent_wait_for_close(control);
}

static void fail_other_invocations(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	for (int i = 0; i < 2; i++)
		fake_agent_send(control, FRAME_ERROR, "{\"invocation_id\":\"inv-0\",\"kind\":\"function\"}");
	fake_agent_wait_for_close(control);
}

static void answer_without_meta(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_RESULT, "{\"invocation_id\":\"" ID "\"}");
	fake_agent_wait_for_close(control);
}

static void answer_with_ready(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_READY, "{}");
	fake_agent_wait_for_close(control);
}

static void answer_with_a_broken_report(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR, "{\"invocation_id\":\"" ID "\",\"message\":\"\\ud800\"}");
	fake_agent_wait_for_close(control);
}

static void whatever_breaks_the_protocol_ends_the_sandbox_not_the_worker(void **state)
{
	static void (*const scripts[])(int, int) = {fail_other_invocations,     send_garbage,        send_a_huge_header,
						    answer_other_invocations,   answer_without_meta, answer_with_ready,
						    answer_with_a_broken_report};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		run_script(f, scripts[i]);
		assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_PROTOCOL);
		assert_script_ended_well(f);
	}
}

/* A client may use the same request id again, so that id is no proof. */
static void answer_late_to_the_one_before(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_RESULT, "{\"request_id\":\"" REQUEST_ID "\"}\n\"another's\"");
	fake_agent_result(control, ID, "\"its own\"");
	fake_agent_wait_for_close(control);
}

static void fail_late_for_the_one_before(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR,
			"{\"invocation_id\":\"" ID "0\",\"request_id\":\"" REQUEST_ID "\",\"kind\":\"function\"}");
	usleep(20000);
	fake_agent_result(control, ID, "\"its own\"");
	fake_agent_wait_for_close(control);
}

static void an_answer_to_the_invocation_before_is_passed_over_and_the_last_of_its_sandbox(void **state)
{
	static void (*const scripts[])(int, int) = {answer_late_to_the_one_before, fail_late_for_the_one_before};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		run_script(f, scripts[i]);
		assert_output(f, "\"its own\"");
		assert_int_equal(f->outcome.destroy_reason, COUNT_KILL_UNASKED);
		assert_script_ended_well(f);
	}
}

static void report_nonsense(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR,
			"{\"invocation_id\":\"" ID
			"\",\"kind\":[],\"type\":7,\"message\":null,\"stack\":{\"a\":1},\"size_bytes\":\"x\"}");
	fake_agent_wait_for_close(control);
}

static void an_error_report_of_wrong_types_is_still_an_error_of_the_function(void **state)
{
	struct fixture *f = *state;

	run_script(f, report_nonsense);
	assert_failed(f, PROBLEM_FUNCTION_ERROR, 0);
	const json_t *e = json_object_get(f->outcome.problem.members, "error");
	assert_string_equal(json_string_value(json_object_get(e, "type")), "");
	assert_int_equal(json_array_size(json_object_get(e, "stack")), 0);
}

static void speak_first(int control, int log)
{
	(void)log;
	fake_agent_result(control, ID, "\"forged\"");
	fake_agent_wait_for_close(control);
}

static void a_sandbox_that_speaks_before_it_is_asked_is_not_used(void **state)
{
	struct fixture *f = *state;

	start_agent(f, speak_first);
	await_readable(f->agent.control_fd);
	invoke(f);
	assert_int_equal(f->outcome.kind, OUTCOME_UNTOUCHED);
	assert_int_equal(f->outcome.destroy_reason, COUNT_KILL_UNASKED);
}

static void just_exit(int control, int log)
{
	(void)control, (void)log;
}

static void a_sandbox_that_died_while_it_was_idle_is_not_used(void **state)
{
	struct fixture *f = *state;

	start_agent(f, just_exit);
	await_readable(f->agent.control_fd);
	invoke(f);
	assert_int_equal(f->outcome.kind, OUTCOME_UNTOUCHED);
	assert_int_equal(f->outcome.destroy_reason, COUNT_KILL_EXITED_IDLE);
}

static void await_invoke(int control)
{
	struct pollfd p = {.fd = control, .events = POLLIN};

	if (poll(&p, 1, 20000) != 1)
		_exit(3);
}

static void exit_with_all_unread(int control, int log)
{
	(void)log;
	await_invoke(control);
}

static void exit_with_the_end_unread(int control, int log)
{
	char start[FRAME_HEADER_SIZE + 10];

	(void)log;
	await_invoke(control);
	if (read(control, start, sizeof(start)) != sizeof(start))
		_exit(3);
}

static void a_sandbox_that_dies_with_the_request_unread_has_not_begun_it(void **state)
{
	static void (*const scripts[])(int, int) = {exit_with_all_unread, exit_with_the_end_unread};
	const size_t large = 4 << 20; /* more than a socket takes */
	AUTO(mem_free) char *body = mem_alloc(large);
	struct fixture *f = *state;

	memset(body, ' ', large);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(scripts); i++) {
		start_agent(f, scripts[i / 2]);
		invoke_with(f, body, i % 2 == 0 ? 2 : large);
		assert_int_equal(f->outcome.kind, OUTCOME_UNTOUCHED);
		assert_int_equal(f->outcome.destroy_reason, COUNT_KILL_EXITED_IDLE);
		assert_int_equal(f->outcome.problem.code, PROBLEM_SANDBOX_EXITED);
		assert_int_equal(fake_agent_stop(&f->agent), 0);
		f->lease.control_fd = -1;
		outcome_clear(&f->outcome);
	}
}

static void load_and_exit(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INIT, &payload);
	await_invoke(control);
}

static void load_well_and_exit(int control, int log)
{
	load_and_exit(control, log);
	fake_agent_send(control, FRAME_READY, "{}");
}

static void a_function_that_ends_its_new_sandbox_is_told_so_although_the_request_is_unread(void **state)
{
	struct fixture *f = *state;

	buf_add_str(&f->lease.init, INIT);
	run_script(f, load_and_exit);
	assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_EXITED);
	assert_string_equal(problem_text(f, "phase"), "init");
	fake_agent_stop(&f->agent);
	outcome_clear(&f->outcome);
	run_script(f, load_well_and_exit);
	assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_EXITED);
	assert_string_equal(problem_text(f, "phase"), "exec");
}

static void speak_on(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0}, frames = {0};

	(void)log;
	expect_invoke(control, &payload);
	for (int i = 0; i < 2; i++)
		frame_encode(&frames, FRAME_RESULT, "{\"invocation_id\":\"" ID "\"}\n", strlen(ID) + 21, "1", 1);
	fd_write_all(control, frames.data, frames.len, NULL);
	fake_agent_wait_for_close(control);
}

static void a_sandbox_that_speaks_on_after_its_answer_is_not_used_again(void **state)
{
	struct fixture *f = *state;

	run_script(f, speak_on);
	assert_output(f, "1");
	assert_int_equal(f->outcome.destroy_reason, COUNT_KILL_UNASKED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, invocation_set_up, invocation_tear_down)
		TEST(an_error_of_the_function_leaves_its_sandbox_in_use),
		TEST(an_error_after_which_the_agent_exits_ends_the_sandbox),
		TEST(an_output_that_is_no_json_is_never_passed_on),
		TEST(whatever_breaks_the_protocol_ends_the_sandbox_not_the_worker),
		TEST(an_answer_to_the_invocation_before_is_passed_over_and_the_last_of_its_sandbox),
		TEST(an_error_report_of_wrong_types_is_still_an_error_of_the_function),
		TEST(a_sandbox_that_speaks_before_it_is_asked_is_not_used),
		TEST(a_sandbox_that_died_while_it_was_idle_is_not_used),
		TEST(a_function_that_ends_its_new_sandbox_is_told_so_although_the_request_is_unread),
		TEST(a_sandbox_that_dies_with_the_request_unread_has_not_begun_it),
		TEST(a_sandbox_that_speaks_on_after_its_answer_is_not_used_again),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
