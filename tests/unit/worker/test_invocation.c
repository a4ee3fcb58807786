#include "worker/invocation.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/support/fake_agent.h"
#include "tests/unit/unit.h"

#define REQUEST_ID "req-1"
#define INIT       "{\"handler\":\"main.handler\"}"

struct fixture {
	struct conf *conf;
	struct invocation *invocation;
	struct fake_agent agent;
	struct lease lease;
	struct outcome outcome;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(conf_load_file(NULL, &f->conf, NULL), 0);
	f->conf->limits_response_bytes = 1 << 20;
	f->conf->limits_log_bytes = 4096;
	f->conf->limits_init_timeout_ms = 400;
	f->invocation = invocation_new(f->conf, NULL);
	f->lease = (struct lease){.sandbox_id = "sb", .timeout_ms = 2000, .control_fd = -1, .log_fd = -1};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->agent.pid > 0) {
		kill(f->agent.pid, SIGKILL);
		fake_agent_stop(&f->agent);
	}
	outcome_clear(&f->outcome);
	buf_free(&f->lease.init);
	invocation_free(&f->invocation);
	conf_free(&f->conf);
	free(f);
	return 0;
}

static void start(struct fixture *f, void (*script)(int control, int log))
{
	fake_agent_start(&f->agent, script);
	f->lease.control_fd = f->agent.control_fd;
	f->lease.log_fd = f->agent.log_fd;
}

static void invoke_with(struct fixture *f, const char *body, size_t len)
{
	struct invocation_input input = {.request_id = REQUEST_ID, .traceparent = "", .body = body, .body_len = len};

	outcome_clear(&f->outcome);
	invocation_run(f->invocation, &f->lease, &input, &f->outcome);
}

static void invoke(struct fixture *f)
{
	invoke_with(f, "{\"input\":1}", 11);
}

/* Until the agent has got that far. */
static void wait_for(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 10000), 1);
}

static void run(struct fixture *f, void (*script)(int control, int log))
{
	start(f, script);
	invoke(f);
}

static void assert_script_ended_well(struct fixture *f)
{
	assert_int_equal(fake_agent_stop(&f->agent), 0);
	f->agent.pid = 0;
}

static void assert_failed(const struct fixture *f, enum problem_code code, const char *destroy_reason)
{
	assert_int_equal(f->outcome.kind, OUTCOME_FAILURE);
	if (f->outcome.problem.code != code)
		fail_msg("%s instead of %s: %s", problem_name(f->outcome.problem.code), problem_name(code),
			 f->outcome.problem.detail);
	if (destroy_reason == NULL)
		assert_null(f->outcome.destroy_reason);
	else
		assert_string_equal(f->outcome.destroy_reason, destroy_reason);
	assert_true(f->outcome.problem.detail[0] != '\0');
}

static void assert_output(const struct fixture *f, const char *output)
{
	if (f->outcome.kind != OUTCOME_SUCCESS)
		fail_msg("failed: %s", f->outcome.problem.detail);
	assert_int_equal(f->outcome.output.len, strlen(output));
	assert_memory_equal(f->outcome.output.data, output, strlen(output));
}

static void expect_invoke(int control, struct buf *payload)
{
	fake_agent_expect(control, FRAME_INVOKE, payload);
}

static void print_and_answer(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	if (strcmp(payload.data, "{\"request_id\":\"" REQUEST_ID "\",\"remaining_ms\":2000}\n{\"input\":1}") != 0)
		_exit(3);
	fd_write_all(log, "hello\n", 6, NULL);
	fake_agent_result(control, REQUEST_ID, "{\"a\": [1]}");
	fake_agent_wait_for_close(control);
}

static void a_result_comes_back_as_it_was_written_with_the_log(void **state)
{
	struct fixture *f = *state;

	run(f, print_and_answer);
	assert_output(f, "{\"a\": [1]}");
	assert_null(f->outcome.destroy_reason);
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
	fake_agent_result(control, REQUEST_ID, "null");
	fake_agent_wait_for_close(control);
}

static void a_new_sandbox_is_initialised_first_and_both_times_are_measured(void **state)
{
	struct fixture *f = *state;

	buf_add_str(&f->lease.init, INIT);
	run(f, init_then_answer);
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
	run(f, fail_with_syntax);
	assert_failed(f, PROBLEM_INIT_ERROR, "init error");
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
	start(f, fail_with_handler);
	invocation_init(f->invocation, &f->lease, &f->outcome);
	assert_int_equal(f->outcome.init_failure, INIT_HANDLER);
	fake_agent_stop(&f->agent);
	outcome_clear(&f->outcome);
	start(f, fail_with_anything);
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
	start(f, only_say_ready);
	invocation_init(f->invocation, &f->lease, &f->outcome);
	assert_int_equal(f->outcome.kind, OUTCOME_SUCCESS);
	assert_null(f->outcome.destroy_reason);
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
	run(f, sleep_for_ever);
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, "timeout");
	assert_int_equal(f->outcome.init_failure, INIT_TIMEOUT);
	assert_string_equal(json_string_value(json_object_get(f->outcome.problem.members, "phase")), "init");
	assert_in_range(f->outcome.init_us, 400000, 500000);
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
	run(f, take_invoke_and_sleep);
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, "timeout");
	assert_int_equal(json_integer_value(json_object_get(f->outcome.problem.members, "limit_ms")), 150);
	assert_string_equal(json_string_value(json_object_get(f->outcome.problem.members, "phase")), "exec");
	assert_in_range(f->outcome.exec_us, 150000, 200000);
	assert_int_equal(f->outcome.log.len, 7);
}

static void print_and_exit(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	fd_write_all(log, "last words\n", 11, NULL);
}

static void an_agent_that_exits_is_told_from_one_that_fails(void **state)
{
	struct fixture *f = *state;

	run(f, print_and_exit);
	assert_failed(f, PROBLEM_SANDBOX_EXITED, "exited");
	assert_int_equal(f->outcome.log_bytes, 11);
}

static void raise_error(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR,
			"{\"request_id\":\"" REQUEST_ID
			"\",\"kind\":\"function\",\"type\":\"KeyError\",\"message\":\"'a'\",\"stack\":[]}");
	fake_agent_wait_for_close(control);
}

static void an_error_of_the_function_leaves_its_sandbox_in_use(void **state)
{
	struct fixture *f = *state;

	run(f, raise_error);
	assert_failed(f, PROBLEM_FUNCTION_ERROR, NULL);
	assert_string_equal(f->outcome.problem.detail, "KeyError: 'a'");
	assert_script_ended_well(f);
}

static void raise_error_and_exit(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR, "{\"request_id\":\"" REQUEST_ID "\",\"kind\":\"function\",\"exiting\":true}");
}

static void an_error_after_which_the_agent_exits_ends_the_sandbox(void **state)
{
	run(*state, raise_error_and_exit);
	assert_failed(*state, PROBLEM_FUNCTION_ERROR, "exited after an error");
}

static void say_too_large(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR,
			"{\"request_id\":\"" REQUEST_ID "\",\"kind\":\"response_too_large\",\"size_bytes\":2000000}");
	fake_agent_wait_for_close(control);
}

static void an_output_over_the_limit_is_refused_with_its_size(void **state)
{
	struct fixture *f = *state;

	run(f, say_too_large);
	assert_failed(f, PROBLEM_RESPONSE_TOO_LARGE, NULL);
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
	fake_agent_result(control, REQUEST_ID, output);
	fake_agent_wait_for_close(control);
}

static void an_agent_that_does_not_check_the_size_is_checked(void **state)
{
	run(*state, send_too_large);
	assert_failed(*state, PROBLEM_RESPONSE_TOO_LARGE, NULL);
}

static void send_no_json(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_result(control, REQUEST_ID, "{\"a\":NaN}");
	fake_agent_wait_for_close(control);
}

static void an_output_that_is_no_json_is_never_passed_on(void **state)
{
	run(*state, send_no_json);
	assert_failed(*state, PROBLEM_INVALID_OUTPUT, NULL);
}

/* Each of these breaks the protocol in its own way. */
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

static void answer_another_request(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_result(control, "req-0", "1");
	fake_agent_wait_for_close(control);
}

static void fail_another_request(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR, "{\"request_id\":\"req-0\",\"kind\":\"function\"}");
	fake_agent_wait_for_close(control);
}

static void answer_without_meta(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_RESULT, "{\"request_id\":\"" REQUEST_ID "\"}");
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
	fake_agent_send(control, FRAME_ERROR, "{\"request_id\":\"" REQUEST_ID "\",\"message\":\"\\ud800\"}");
	fake_agent_wait_for_close(control);
}

static void whatever_breaks_the_protocol_ends_the_sandbox_not_the_worker(void **state)
{
	static void (*const scripts[])(int, int) = {fail_another_request,       send_garbage,        send_a_huge_header,
						    answer_another_request,     answer_without_meta, answer_with_ready,
						    answer_with_a_broken_report};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		run(f, scripts[i]);
		assert_failed(f, PROBLEM_SANDBOX_EXITED, "broke the protocol");
		assert_script_ended_well(f);
	}
}

static void report_nonsense(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_send(control, FRAME_ERROR,
			"{\"request_id\":\"" REQUEST_ID
			"\",\"kind\":[],\"type\":7,\"message\":null,\"stack\":{\"a\":1},\"size_bytes\":\"x\"}");
	fake_agent_wait_for_close(control);
}

static void an_error_report_of_wrong_types_is_still_an_error_of_the_function(void **state)
{
	struct fixture *f = *state;

	run(f, report_nonsense);
	assert_failed(f, PROBLEM_FUNCTION_ERROR, NULL);
	const json_t *e = json_object_get(f->outcome.problem.members, "error");
	assert_string_equal(json_string_value(json_object_get(e, "type")), "");
	assert_int_equal(json_array_size(json_object_get(e, "stack")), 0);
}

static void speak_first(int control, int log)
{
	(void)log;
	fake_agent_result(control, REQUEST_ID, "\"forged\"");
	fake_agent_wait_for_close(control);
}

static void a_sandbox_that_speaks_before_it_is_asked_is_not_used(void **state)
{
	struct fixture *f = *state;

	start(f, speak_first);
	wait_for(f->agent.control_fd);
	invoke(f);
	assert_int_equal(f->outcome.kind, OUTCOME_UNTOUCHED);
	assert_string_equal(f->outcome.destroy_reason, "spoke unasked");
}

static void just_exit(int control, int log)
{
	(void)control, (void)log;
}

static void a_sandbox_that_died_while_it_was_idle_is_not_used(void **state)
{
	struct fixture *f = *state;

	start(f, just_exit);
	wait_for(f->agent.control_fd);
	invoke(f);
	assert_int_equal(f->outcome.kind, OUTCOME_UNTOUCHED);
	assert_string_equal(f->outcome.destroy_reason, "exited while idle");
}

static void speak_on(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0}, frames = {0};

	(void)log;
	expect_invoke(control, &payload);
	for (int i = 0; i < 2; i++)
		frame_encode(&frames, FRAME_RESULT, "{\"request_id\":\"" REQUEST_ID "\"}\n", strlen(REQUEST_ID) + 18, "1", 1);
	fd_write_all(control, frames.data, frames.len, NULL);
	fake_agent_wait_for_close(control);
}

static void a_sandbox_that_speaks_on_after_its_answer_is_not_used_again(void **state)
{
	struct fixture *f = *state;

	run(f, speak_on);
	assert_output(f, "1");
	assert_string_equal(f->outcome.destroy_reason, "spoke unasked");
}

static void print_between(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	fd_write_all(log, "late thread\n", 12, NULL);
	expect_invoke(control, &payload);
	fd_write_all(log, "mine\n", 5, NULL);
	fake_agent_result(control, REQUEST_ID, "1");
	fake_agent_wait_for_close(control);
}

static void what_was_printed_before_is_counted_but_not_shown(void **state)
{
	struct fixture *f = *state;

	start(f, print_between);
	wait_for(f->agent.log_fd);
	invoke(f);
	assert_output(f, "1");
	assert_int_equal(f->outcome.orphan_bytes, 12);
	assert_int_equal(f->outcome.log_bytes, 5);
	assert_memory_equal(f->outcome.log.data, "mine\n", 5);
}

#define FLOOD (64 << 20)

static void print_a_flood(int control, int log)
{
	static char line[65536];
	AUTO(buf_free) struct buf payload = {0};

	memset(line, 'x', sizeof(line));
	expect_invoke(control, &payload);
	for (size_t done = 0; done < FLOOD; done += sizeof(line))
		fd_write_all(log, line, sizeof(line), NULL);
	fake_agent_result(control, REQUEST_ID, "1");
	fake_agent_wait_for_close(control);
}

static void a_flood_of_log_is_read_counted_and_costs_no_memory(void **state)
{
	struct fixture *f = *state;
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	run(f, print_a_flood);
	getrusage(RUSAGE_SELF, &after);
	assert_output(f, "1");
	assert_int_equal(f->outcome.log.len, 4096);
	assert_int_equal(f->outcome.log_bytes, FLOOD);
	assert_true(after.ru_maxrss - before.ru_maxrss < 16384);
}

static void print_for_ever(int control, int log)
{
	static char line[65536];
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	while (fd_write_all(log, line, sizeof(line), NULL) == 0)
		;
}

static void a_log_without_end_does_not_outlast_the_deadline(void **state)
{
	struct fixture *f = *state;

	signal(SIGPIPE, SIG_IGN);
	f->lease.timeout_ms = 200;
	run(f, print_for_ever);
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, "timeout");
	assert_in_range(f->outcome.exec_us, 200000, 300000);
}

static void trickle(int control, int log)
{
	static const char frame[] = "\0\0\0\x19\x06{\"request_id\":\"" REQUEST_ID "\"}\n12";
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
	run(*state, trickle);
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
	run(f, trickle_too_slowly);
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, "timeout");
	assert_in_range(f->outcome.exec_us, 150000, 250000);
}

/* Prints more than a socket holds before it reads: a host that only writes would wait for it for ever. */
static void print_before_reading(int control, int log)
{
	static char line[1 << 20];
	AUTO(buf_free) struct buf payload = {0};

	usleep(50000);
	fd_write_all(log, line, sizeof(line), NULL);
	expect_invoke(control, &payload);
	fd_write_all(log, line, sizeof(line), NULL);
	char text[32];
	snprintf(text, sizeof(text), "%zu", payload.len);
	fake_agent_result(control, REQUEST_ID, text);
	fake_agent_wait_for_close(control);
}

static void a_large_input_and_a_large_log_do_not_wait_for_each_other(void **state)
{
	struct fixture *f = *state;
	size_t len = 6 << 20;
	char *body = malloc(len), expected[32];

	memset(body, ' ', len);
	start(f, print_before_reading);
	invoke_with(f, body, len);
	snprintf(expected, sizeof(expected), "%zu",
		 len + strlen("{\"request_id\":\"" REQUEST_ID "\",\"remaining_ms\":2000}\n"));
	assert_output(f, expected);
	assert_int_equal(f->outcome.log_bytes, 2 << 20);
	free(body);
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
	fake_agent_result(control, REQUEST_ID, output);
	expect_invoke(control, &payload);
	fake_agent_result(control, REQUEST_ID, "2");
	fake_agent_wait_for_close(control);
}

static void one_sandbox_serves_one_invocation_after_the_other(void **state)
{
	struct fixture *f = *state;

	run(f, answer_large);
	assert_int_equal(f->outcome.kind, OUTCOME_SUCCESS);
	assert_int_equal(f->outcome.output.len, (1 << 20) - 1);
	invocation_rest(f->invocation);
	invoke(f);
	assert_output(f, "2");
	assert_script_ended_well(f);
}

static void close_the_log_and_answer(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	close(log);
	usleep(100000);
	fake_agent_result(control, REQUEST_ID, "1");
	fake_agent_wait_for_close(control);
}

static int64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void a_function_that_closes_its_log_can_still_answer(void **state)
{
	struct fixture *f = *state;
	int64_t before_us = cpu_us();

	run(f, close_the_log_and_answer);
	assert_output(f, "1");
	/* The end of the log must not make poll return all the time. */
	assert_true(cpu_us() - before_us < 60000);
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

	start(f, stop_reading);
	wait_for(f->agent.log_fd);
	invoke(f);
	assert_failed(f, PROBLEM_SANDBOX_EXITED, "exited");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_result_comes_back_as_it_was_written_with_the_log),
		TEST(a_new_sandbox_is_initialised_first_and_both_times_are_measured),
		TEST(code_that_does_not_load_is_an_init_error_and_ends_the_sandbox),
		TEST(the_kind_of_an_init_error_is_told_apart),
		TEST(initialising_alone_sends_no_invocation),
		TEST(a_load_that_takes_too_long_is_a_timeout_of_phase_init),
		TEST(a_timeout_is_answered_at_the_deadline_with_what_was_printed),
		TEST(an_agent_that_exits_is_told_from_one_that_fails),
		TEST(an_error_of_the_function_leaves_its_sandbox_in_use),
		TEST(an_error_after_which_the_agent_exits_ends_the_sandbox),
		TEST(an_output_over_the_limit_is_refused_with_its_size),
		TEST(an_agent_that_does_not_check_the_size_is_checked),
		TEST(an_output_that_is_no_json_is_never_passed_on),
		TEST(whatever_breaks_the_protocol_ends_the_sandbox_not_the_worker),
		TEST(an_error_report_of_wrong_types_is_still_an_error_of_the_function),
		TEST(a_sandbox_that_speaks_before_it_is_asked_is_not_used),
		TEST(a_sandbox_that_died_while_it_was_idle_is_not_used),
		TEST(a_sandbox_that_speaks_on_after_its_answer_is_not_used_again),
		TEST(what_was_printed_before_is_counted_but_not_shown),
		TEST(a_flood_of_log_is_read_counted_and_costs_no_memory),
		TEST(a_log_without_end_does_not_outlast_the_deadline),
		TEST(an_answer_may_come_byte_by_byte),
		TEST(bytes_that_keep_coming_do_not_move_the_deadline),
		TEST(a_large_input_and_a_large_log_do_not_wait_for_each_other),
		TEST(one_sandbox_serves_one_invocation_after_the_other),
		TEST(a_function_that_closes_its_log_can_still_answer),
		TEST(an_agent_that_does_not_listen_is_waited_for_and_ends),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
