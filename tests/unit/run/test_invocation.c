/* An invocation from the request to the answer: loading and running, and their timeouts. */
#include "run/invocation.h"

#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/run/invocation_rig.h"

static void a_result_comes_back_as_it_was_written_with_the_log(void **state)
{
	struct fixture *f = *state;

	run_script(f, print_and_answer);
	assert_output(f, "{\"a\": [1]}");
	assert_int_equal(f->outcome.destroy_reason, 0);
	assert_int_equal(f->outcome.log.len, 6);
	assert_memory_equal(f->outcome.log.data, "hello\n", 6);
	assert_int_equal(f->outcome.log_bytes, 6);
	assert_int_equal(f->outcome.init_us, 0);
	assert_true(f->outcome.exec_us > 0);
	assert_script_ended_well(f);
}

static void init_then_answer(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	fake_agent_expect(control, FRAME_INIT, &payload);
	if (strcmp(payload.data, INIT) != 0)
		_exit(3);
	fd_write_all(log, "loading\n", 8, NULL);
	usleep(20000);
	fake_agent_send(control, FRAME_READY, "{}");
	expect_invoke(control, &payload);
	fake_agent_result(control, ID, "null");
	fake_agent_wait_for_close(control);
}

static void a_new_sandbox_is_initialised_first_and_both_times_are_measured(void **state)
{
	struct fixture *f = *state;

	buf_add_str(&f->lease.init, INIT);
	run_script(f, init_then_answer);
	assert_output(f, "null");
	assert_true(f->outcome.init_us >= 20000);
	assert_true(f->outcome.exec_us < f->outcome.init_us);
	assert_int_equal(f->outcome.log_bytes, 8);
	assert_script_ended_well(f);
}

static void fail_to_load(int control, const char *kind)
{
	AUTO(buf_free) struct buf payload = {0};
	char report[200];

	fake_agent_expect(control, FRAME_INIT, &payload);
	snprintf(report, sizeof(report),
		 "{\"kind\":\"%s\",\"type\":\"E\",\"message\":\"bad\",\"stack\":[\"line 3\"],\"line\":3}", kind);
	fake_agent_send(control, FRAME_INIT_ERROR, report);
	_exit(1); /* with an INVOKE unread, as an agent does */
}

static void fail_with_syntax(int control, int log)
{
	(void)log;
	fail_to_load(control, "syntax");
}

static void fail_with_handler(int control, int log)
{
	(void)log;
	fail_to_load(control, "handler");
}

static void fail_with_anything(int control, int log)
{
	(void)log;
	fail_to_load(control, "something new");
}

static void code_that_does_not_load_is_an_init_error_and_ends_the_sandbox(void **state)
{
	struct fixture *f = *state;

	buf_add_str(&f->lease.init, INIT);
	run_script(f, fail_with_syntax);
	assert_failed(f, PROBLEM_INIT_ERROR, COUNT_KILL_INIT_ERROR);
	assert_int_equal(f->outcome.init_failure, INIT_SYNTAX);
	assert_int_equal(f->outcome.init_line, 3);
	assert_string_equal(f->outcome.problem.detail, "E: bad");
	assert_string_equal(json_string_value(json_object_get(json_object_get(f->outcome.problem.members, "error"), "message")),
			    "bad");
}

static void the_kind_of_an_init_error_is_told_apart(void **state)
{
	struct fixture *f = *state;

	buf_add_str(&f->lease.init, INIT);
	start_agent(f, fail_with_handler);
	invocation_init(f->invocation, &f->lease, &f->outcome);
	assert_int_equal(f->outcome.init_failure, INIT_HANDLER);
	fake_agent_stop(&f->agent);
	outcome_clear(&f->outcome);
	start_agent(f, fail_with_anything);
	invocation_init(f->invocation, &f->lease, &f->outcome);
	assert_int_equal(f->outcome.init_failure, INIT_EXCEPTION);
}

static void only_say_ready(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INIT, &payload);
	fake_agent_send(control, FRAME_READY, "{}");
	fake_agent_wait_for_close(control);
}

static void initialising_alone_sends_no_invocation(void **state)
{
	struct fixture *f = *state;

	buf_add_str(&f->lease.init, INIT);
	start_agent(f, only_say_ready);
	invocation_init(f->invocation, &f->lease, &f->outcome);
	assert_int_equal(f->outcome.kind, OUTCOME_SUCCESS);
	assert_int_equal(f->outcome.destroy_reason, 0);
	assert_script_ended_well(f);
}

static void sleep_for_ever(int control, int log)
{
	fd_write_all(log, "before\n", 7, NULL);
	fake_agent_wait_for_close(control);
}

static void a_load_that_takes_too_long_is_a_timeout_of_phase_init(void **state)
{
	struct fixture *f = *state;

	buf_add_str(&f->lease.init, INIT);
	run_script(f, sleep_for_ever);
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, COUNT_KILL_TIMEOUT);
	assert_int_equal(f->outcome.init_failure, INIT_TIMEOUT);
	assert_string_equal(json_string_value(json_object_get(f->outcome.problem.members, "phase")), "init");
	assert_int_equal(json_integer_value(json_object_get(f->outcome.problem.members, "limit_ms")), 400);
	assert_non_null(strstr(f->outcome.problem.detail, "init_timeout_ms"));
	assert_in_range(f->outcome.init_us, 400000, 1500000);
}

static void take_invoke_and_sleep(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	sleep_for_ever(control, log);
}

static void a_timeout_is_answered_at_the_deadline_with_what_was_printed(void **state)
{
	struct fixture *f = *state;

	f->lease.timeout_ms = 150;
	run_script(f, take_invoke_and_sleep);
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, COUNT_KILL_TIMEOUT);
	assert_int_equal(json_integer_value(json_object_get(f->outcome.problem.members, "limit_ms")), 150);
	assert_string_equal(json_string_value(json_object_get(f->outcome.problem.members, "phase")), "exec");
	assert_in_range(f->outcome.exec_us, 150000, 1500000);
	assert_int_equal(f->outcome.log.len, 7);
}

static void an_agent_that_exits_is_told_from_one_that_fails(void **state)
{
	struct fixture *f = *state;

	run_script(f, print_and_exit);
	assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_EXITED);
	assert_int_equal(f->outcome.log_bytes, 11);
}

static void trickle(int control, int log)
{
	static const char frame[] = "\0\0\0\x1c\x06{\"invocation_id\":\"" ID "\"}\n12";
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	for (size_t i = 0; i < sizeof(frame) - 1; i++) {
		fd_write_all(control, frame + i, 1, NULL);
		usleep(2000);
	}
	fake_agent_wait_for_close(control);
}

static void an_answer_may_come_byte_by_byte(void **state)
{
	run_script(*state, trickle);
	assert_output(*state, "12");
}

static void trickle_too_slowly(int control, int log)
{
	static const char header[] = "\0\0\0\x40\x06";
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fd_write_all(control, header, 5, NULL);
	for (int i = 0; i < 100; i++) {
		if (send(control, " ", 1, MSG_NOSIGNAL) < 0)
			return;
		usleep(10000);
	}
}

static void bytes_that_keep_coming_do_not_move_the_deadline(void **state)
{
	struct fixture *f = *state;

	f->lease.timeout_ms = 150;
	run_script(f, trickle_too_slowly);
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, COUNT_KILL_TIMEOUT);
	assert_in_range(f->outcome.exec_us, 150000, 900000);
}

static void answer_large(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};
	AUTO(mem_free) char *output = malloc(1 << 20);

	(void)log;
	memset(output, 'x', 1 << 20);
	output[0] = output[(1 << 20) - 2] = '"';
	output[(1 << 20) - 1] = '\0';
	expect_invoke(control, &payload);
	fake_agent_result(control, ID, output);
	expect_invoke(control, &payload);
	fake_agent_result(control, ID, "2");
	fake_agent_wait_for_close(control);
}

static void one_sandbox_serves_one_invocation_after_the_other(void **state)
{
	struct fixture *f = *state;

	run_script(f, answer_large);
	assert_int_equal(f->outcome.kind, OUTCOME_SUCCESS);
	assert_int_equal(f->outcome.output.len, (1 << 20) - 1);
	invocation_trim(f->invocation);
	invoke(f);
	assert_output(f, "2");
	assert_script_ended_well(f);
}

static void stop_reading(int control, int log)
{
	shutdown(control, SHUT_RD);
	fd_write_all(log, "deaf\n", 5, NULL);
	usleep(200000);
}

static void an_agent_that_does_not_listen_is_waited_for_and_ends(void **state)
{
	struct fixture *f = *state;

	start_agent(f, stop_reading);
	await_readable(f->agent.log_fd);
	invoke(f);
	assert_int_equal(f->outcome.kind, OUTCOME_UNTOUCHED);
	assert_int_equal(f->outcome.destroy_reason, COUNT_KILL_EXITED_IDLE);
}

static void fail_to_load_for_memory(int control, int log)
{
	(void)log;
	fail_to_load(control, "out_of_memory");
}

static void say_that_memory_is_lacking(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR,
			"{\"invocation_id\":\"" ID "\",\"kind\":\"out_of_memory\",\"type\":\"MemoryError\",\"message\":\"\"}");
	fake_agent_wait_for_close(control);
}

static void an_agent_may_say_itself_that_memory_is_lacking(void **state)
{
	struct fixture *f = *state;

	run_script(f, say_that_memory_is_lacking);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_string_equal(json_string_value(json_object_get(f->outcome.problem.members, "phase")), "exec");
	assert_non_null(strstr(f->outcome.problem.detail, "its memory_limit_mb of "));
	fake_agent_stop(&f->agent);
	outcome_clear(&f->outcome);
	buf_add_str(&f->lease.init, INIT);
	start_agent(f, fail_to_load_for_memory);
	invocation_init(f->invocation, &f->lease, &f->outcome);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_int_equal(f->outcome.init_failure, INIT_EXCEPTION);
	assert_string_equal(json_string_value(json_object_get(f->outcome.problem.members, "phase")), "init");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, invocation_set_up, invocation_tear_down)
		TEST(a_result_comes_back_as_it_was_written_with_the_log),
		TEST(a_new_sandbox_is_initialised_first_and_both_times_are_measured),
		TEST(code_that_does_not_load_is_an_init_error_and_ends_the_sandbox),
		TEST(the_kind_of_an_init_error_is_told_apart),
		TEST(initialising_alone_sends_no_invocation),
		TEST(a_load_that_takes_too_long_is_a_timeout_of_phase_init),
		TEST(a_timeout_is_answered_at_the_deadline_with_what_was_printed),
		TEST(an_agent_that_exits_is_told_from_one_that_fails),
		TEST(an_answer_may_come_byte_by_byte),
		TEST(bytes_that_keep_coming_do_not_move_the_deadline),
		TEST(one_sandbox_serves_one_invocation_after_the_other),
		TEST(an_agent_that_does_not_listen_is_waited_for_and_ends),
		TEST(an_agent_may_say_itself_that_memory_is_lacking),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
