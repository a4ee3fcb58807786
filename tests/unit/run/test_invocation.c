#include "run/invocation.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/support/described.h"
#include "tests/support/fake_agent.h"
#include "tests/support/fake_poolmgr.h"
#include "tests/unit/unit.h"

#define ID         "inv-1"
#define REQUEST_ID "req-1"
#define INIT       "{\"handler\":\"main.handler\"}"

struct fixture {
	struct conf *conf;
	struct invocation *invocation;
	struct fake_agent agent;
	struct lease lease;
	struct outcome outcome;
	struct patience patience;
	int over; /* times it ended */

	/* Where the sandbox comes from a poolmgr. */
	char *dir; /* or where its cgroup's files are */
	struct fake_poolmgr poolmgr;
	struct lease_client *client;
	struct denial denial;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(conf_load_file(NULL, &f->conf, NULL), 0);
	f->invocation = invocation_new(f->conf, NULL, NULL);
	f->lease = LEASE_NONE;
	strcpy(f->lease.sandbox_id, "sb");
	f->lease.timeout_ms = 2000;
	f->lease.init_timeout_ms = 400;
	f->lease.memory_limit_mb = 128;
	f->lease.response_bytes = 1 << 20;
	f->lease.log_bytes = 4096;
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
	assert_problem_described(&f->outcome.problem);
	assert_problem_described(&f->denial.problem);
	outcome_clear(&f->outcome);
	problem_clear(&f->denial.problem);
	if (f->client != NULL && f->lease.control_fd >= 0)
		lease_release(f->client, &f->lease, 0);
	lease_client_free(&f->client);
	fake_poolmgr_kill(&f->poolmgr);
	unit_remove_dir(&f->dir);
	buf_free(&f->lease.init);
	mask_free(&f->lease.mask);
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
	f->lease.error_log_fd = f->agent.error_log_fd;
}

static void invoke_with(struct fixture *f, const char *body, size_t len)
{
	struct invocation_input input = {.id = ID, .request_id = REQUEST_ID, .traceparent = "", .body = body, .body_len = len};

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

static void assert_failed(const struct fixture *f, enum problem_code code, enum counter destroy_reason)
{
	assert_int_equal(f->outcome.kind, OUTCOME_FAILURE);
	if (f->outcome.problem.code != code)
		fail_msg("%s instead of %s: %s", problem_name(f->outcome.problem.code), problem_name(code),
			 f->outcome.problem.detail);
	assert_int_equal(f->outcome.destroy_reason, destroy_reason);
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
	if (strcmp(payload.data, "{\"invocation_id\":\"" ID "\",\"request_id\":\"" REQUEST_ID
				 "\",\"remaining_ms\":2000}\n{\"input\":1}") != 0)
		_exit(3);
	fd_write_all(log, "hello\n", 6, NULL);
	fake_agent_result(control, ID, "{\"a\": [1]}");
	fake_agent_wait_for_close(control);
}

static void a_result_comes_back_as_it_was_written_with_the_log(void **state)
{
	struct fixture *f = *state;

	run(f, print_and_answer);
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
	run(f, sleep_for_ever);
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
	run(f, take_invoke_and_sleep);
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, COUNT_KILL_TIMEOUT);
	assert_int_equal(json_integer_value(json_object_get(f->outcome.problem.members, "limit_ms")), 150);
	assert_string_equal(json_string_value(json_object_get(f->outcome.problem.members, "phase")), "exec");
	assert_in_range(f->outcome.exec_us, 150000, 1500000);
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
	assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_EXITED);
	assert_int_equal(f->outcome.log_bytes, 11);
}

/* ---- What the sandbox's cgroup says ---- */

static const char *cgroup_dir; /* an agent does here what the kernel does */

static int cgroup_file(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", cgroup_dir, name);
	unit_write_file(path, text);
	return open(path, O_RDWR | O_CLOEXEC);
}

static void cgroup_says(const char *cpu, const char *memory, const char *oom)
{
	close(cgroup_file("cpu", cpu));
	close(cgroup_file("memory", memory));
	close(cgroup_file("oom", oom));
}

static void make_cgroup(struct fixture *f, int fds[3])
{
	if (f->dir == NULL)
		f->dir = unit_make_dir();
	cgroup_dir = f->dir;
	fds[0] = cgroup_file("cpu", "usage_usec 1000\n");
	fds[1] = cgroup_file("memory", "9000000000\n");
	fds[2] = cgroup_file("oom", "oom_kill 2\n");
}

static void put_into_cgroup(struct fixture *f)
{
	int fds[3];

	make_cgroup(f, fds);
	f->lease.meter.cpu_fd = fds[0];
	f->lease.meter.memory_fd = fds[1];
	f->lease.meter.oom_fd = fds[2];
}

static void take_out_of_cgroup(struct fixture *f)
{
	fd_close(&f->lease.meter.cpu_fd);
	fd_close(&f->lease.meter.memory_fd);
	fd_close(&f->lease.meter.oom_fd);
}

static int64_t member(const struct fixture *f, const char *name)
{
	const json_t *value = json_object_get(f->outcome.problem.members, name);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}

static const char *text_member(const struct fixture *f, const char *name)
{
	return json_string_value(json_object_get(f->outcome.problem.members, name)) ?: "";
}

static void assert_log(const struct fixture *f, const char *text)
{
	assert_int_equal(f->outcome.log.len, strlen(text));
	assert_memory_equal(f->outcome.log.data, text, strlen(text));
}

static void work_and_answer(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	cgroup_says("usage_usec 51000\n", "7340032\n", "oom_kill 2\n");
	fake_agent_result(control, ID, "1");
	fake_agent_wait_for_close(control);
}

static void what_an_invocation_used_is_in_its_outcome(void **state)
{
	struct fixture *f = *state;

	put_into_cgroup(f);
	run(f, work_and_answer);
	assert_output(f, "1");
	assert_int_equal(f->outcome.cpu_us, 50000);
	assert_int_equal(f->outcome.memory_bytes, 7340032);
	take_out_of_cgroup(f);
	assert_script_ended_well(f);
}

static void without_a_cgroup_what_it_used_is_not_known(void **state)
{
	struct fixture *f = *state;

	run(f, print_and_answer);
	assert_output(f, "{\"a\": [1]}");
	assert_int_equal(f->outcome.cpu_us, -1);
	assert_int_equal(f->outcome.memory_bytes, 0);
}

static void print_and_be_killed_for_memory(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	fd_write_all(log, "last words\n", 11, NULL);
	cgroup_says("usage_usec 3000\n", "134217729\n", "oom_kill 3\n");
}

static void an_agent_that_was_killed_for_its_memory_is_out_of_memory(void **state)
{
	struct fixture *f = *state;

	put_into_cgroup(f);
	run(f, print_and_be_killed_for_memory);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_int_equal(member(f, "limit_mb"), 128);
	assert_int_equal(member(f, "peak_mb"), 128);
	assert_string_equal(text_member(f, "phase"), "exec");
	assert_int_equal(f->outcome.memory_bytes, 134217729);
	assert_int_equal(f->outcome.cpu_us, 2000);
	assert_log(f, "last words\n");
	take_out_of_cgroup(f);
}

static void lose_a_part_and_hang(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	cgroup_says("usage_usec 3000\n", "134217728\n", "oom_kill 3\n");
	fake_agent_wait_for_close(control);
}

/* On the host's own kernel it was a child of the function's, and the function is to blame for the time. */
static void a_kill_for_memory_explains_a_timeout_of_gvisor_only(void **state)
{
	static const struct {
		const char *runtime;
		enum counter reason;
		enum problem_code code;
	} cases[] = {
		{"gvisor", COUNT_KILL_MEMORY, PROBLEM_OUT_OF_MEMORY},
		{"docker", COUNT_KILL_TIMEOUT, PROBLEM_FUNCTION_TIMEOUT},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		put_into_cgroup(f);
		snprintf(f->lease.runtime, sizeof(f->lease.runtime), "%s", cases[i].runtime);
		f->lease.timeout_ms = 100;
		run(f, lose_a_part_and_hang);
		assert_failed(f, cases[i].code, cases[i].reason);
		outcome_clear(&f->outcome);
		take_out_of_cgroup(f);
	}
}

static void load_too_much(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	fake_agent_expect(control, FRAME_INIT, &payload);
	fd_write_all(log, "loading\n", 8, NULL);
	cgroup_says("usage_usec 3000\n", "134217728\n", "oom_kill 3\n");
}

static void too_much_memory_for_loading_is_of_phase_init(void **state)
{
	struct fixture *f = *state;

	put_into_cgroup(f);
	buf_add_str(&f->lease.init, INIT);
	run(f, load_too_much);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_string_equal(text_member(f, "phase"), "init");
	assert_int_equal(member(f, "peak_mb"), 128);
	assert_log(f, "loading\n");
	take_out_of_cgroup(f);
}

static void a_kill_before_the_invocation_is_not_this_ones(void **state)
{
	struct fixture *f = *state;

	put_into_cgroup(f);
	run(f, print_and_exit);
	assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_EXITED);
	assert_string_equal(text_member(f, "phase"), "exec");
	assert_int_equal(json_object_size(f->outcome.problem.members), 1); /* there is nobody to ask */
	assert_log(f, "last words\n");
	take_out_of_cgroup(f);
}

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

	start(f, answer_eight_bytes);
	f->lease.response_bytes = 8;
	invoke(f);
	assert_output(f, "\"123456\"");
	f->lease.response_bytes = 7;
	invoke(f);
	assert_failed(f, PROBLEM_RESPONSE_TOO_LARGE, 0);
	assert_int_equal(member(f, "limit"), 7);
	assert_int_equal(member(f, "actual"), 8);
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
	run(f, announce_a_megabyte);
	assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_PROTOCOL);
	assert_script_ended_well(f);
}

static void of_a_log_the_functions_log_bytes_are_kept(void **state)
{
	struct fixture *f = *state;
	static const char *const kept[] = {"0123456789", "0123", ""};

	start(f, answer_eight_bytes);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		f->lease.log_bytes = (uint32_t)strlen(kept[i]);
		invoke(f);
		assert_output(f, "\"123456\"");
		assert_log(f, kept[i]);
		assert_int_equal(f->outcome.log_bytes, 10);
	}
	assert_script_ended_well(f);
}

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

	run(f, raise_error);
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
	run(*state, raise_error_and_exit);
	assert_failed(*state, PROBLEM_FUNCTION_ERROR, COUNT_KILL_EXITED_ERROR);
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

	run(f, say_too_large);
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
	run(*state, send_too_large);
	assert_failed(*state, PROBLEM_RESPONSE_TOO_LARGE, 0);
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
	run(*state, send_no_json);
	assert_failed(*state, PROBLEM_INVALID_OUTPUT, COUNT_KILL_FORGED);
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
		run(f, scripts[i]);
		assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_PROTOCOL);
		assert_script_ended_well(f);
	}
}

/* The client may call its next request the same, so its name for it is no proof. */
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
		run(f, scripts[i]);
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

	run(f, report_nonsense);
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

	start(f, speak_first);
	wait_for(f->agent.control_fd);
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

	start(f, just_exit);
	wait_for(f->agent.control_fd);
	invoke(f);
	assert_int_equal(f->outcome.kind, OUTCOME_UNTOUCHED);
	assert_int_equal(f->outcome.destroy_reason, COUNT_KILL_EXITED_IDLE);
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

	run(f, speak_on);
	assert_output(f, "1");
	assert_int_equal(f->outcome.destroy_reason, COUNT_KILL_UNASKED);
}

static void print_between(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	fd_write_all(log, "late thread\n", 12, NULL);
	expect_invoke(control, &payload);
	fd_write_all(log, "mine\n", 5, NULL);
	fake_agent_result(control, ID, "1");
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
	fake_agent_result(control, ID, "1");
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
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, COUNT_KILL_TIMEOUT);
	assert_in_range(f->outcome.exec_us, 200000, 1500000);
}

static void print_letters_for_ever(int control, int log)
{
	static char letters[65536];
	AUTO(buf_free) struct buf payload = {0};

	memset(letters, 'a', sizeof(letters));
	expect_invoke(control, &payload);
	while (fd_write_all(log, letters, sizeof(letters), NULL) == 0)
		;
}

/* They are looked for while it prints: what there is to do at the deadline does not grow with them. */
static void secrets_without_number_do_not_outlast_the_deadline(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf secrets = {0};
	int64_t start_us = clock_mono_us();

	for (size_t len = 8; len < 250; len++) {
		memset(buf_reserve(&secrets, len), 'a', len);
		secrets.len += len;
		buf_add(&secrets, "", 1);
	}
	f->lease.mask = mask_new(secrets.data, secrets.len);
	f->lease.timeout_ms = 200;
	f->lease.log_bytes = 16 << 20;
	signal(SIGPIPE, SIG_IGN);
	run(f, print_letters_for_ever);
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, COUNT_KILL_TIMEOUT);
	assert_log(f, "***");
	assert_in_range(clock_mono_us() - start_us, 200000, 1500000);
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
	assert_failed(f, PROBLEM_FUNCTION_TIMEOUT, COUNT_KILL_TIMEOUT);
	assert_in_range(f->outcome.exec_us, 150000, 900000);
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
	fake_agent_result(control, ID, text);
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
		 len + strlen("{\"invocation_id\":\"" ID "\",\"request_id\":\"" REQUEST_ID "\",\"remaining_ms\":2000}\n"));
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
	fake_agent_result(control, ID, output);
	expect_invoke(control, &payload);
	fake_agent_result(control, ID, "2");
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
	fake_agent_result(control, ID, "1");
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
	assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_EXITED);
}

/* What happens just before and just after the worker looks for an answer. */
static void (*before_poll)(const struct pollfd *p);
static void (*after_poll)(const struct pollfd *p);

int __real_patience_poll(struct patience *p, struct pollfd *fds, nfds_t count, int64_t deadline_us);
int __wrap_patience_poll(struct patience *p, struct pollfd *fds, nfds_t count, int64_t deadline_us);

int __wrap_patience_poll(struct patience *p, struct pollfd *fds, nfds_t count, int64_t deadline_us)
{
	if (before_poll != NULL)
		before_poll(fds);
	int rc = __real_patience_poll(p, fds, count, deadline_us);
	if (after_poll != NULL)
		after_poll(fds);
	return rc;
}

#define LOG_ROUNDS 3000

/* Of another length each time, and now and then more than is kept. */
static size_t line_length(int round)
{
	return round % 10 == 9 ? 6000 : 1 + (size_t)round % 100;
}

static void print_and_answer_many(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};
	char line[6000];

	memset(line, 'x', sizeof(line));
	for (int i = 0; i < LOG_ROUNDS; i++) {
		expect_invoke(control, &payload);
		fd_write_all(log, line, line_length(i), NULL);
		fake_agent_result(control, ID, "1");
	}
	fake_agent_wait_for_close(control);
}

static void assert_each_log_is_whole(struct fixture *f)
{
	for (int i = 0; i < LOG_ROUNDS; i++) {
		invoke(f);
		assert_output(f, "1");
		assert_int_equal(f->outcome.log.len, MIN(line_length(i), 4096));
		assert_int_equal(f->outcome.log_bytes, line_length(i));
		assert_int_equal(f->outcome.orphan_bytes, 0);
	}
}

static void what_was_printed_before_the_answer_is_always_read(void **state)
{
	struct fixture *f = *state;

	start(f, print_and_answer_many);
	assert_each_log_is_whole(f);
	assert_script_ended_well(f);
}

static void wait_for_log_and_answer(const struct pollfd *p)
{
	wait_for(p[0].fd);
	wait_for(p[1].fd);
}

static void what_is_there_together_with_the_answer_is_read(void **state)
{
	struct fixture *f = *state;

	before_poll = wait_for_log_and_answer;
	start(f, print_and_answer_many);
	assert_each_log_is_whole(f);
	before_poll = NULL;
	assert_script_ended_well(f);
}

static void load_then_print_and_answer(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	fake_agent_expect(control, FRAME_INIT, &payload);
	fake_agent_send(control, FRAME_READY, "{}");
	expect_invoke(control, &payload);
	usleep(20000); /* so that the worker sees READY alone */
	fd_write_all(log, "hello\n", 6, NULL);
	fake_agent_result(control, ID, "1");
	fake_agent_wait_for_close(control);
}

/* The worker is held up between seeing READY and reading it, until the result is there, too. */
static void wait_for_the_log_in_between(const struct pollfd *p)
{
	int len = 0;

	if (p[1].revents != 0)
		return;
	wait_for(p[1].fd);
	while (len <= FRAME_HEADER_SIZE + 2) {
		assert_int_equal(ioctl(p[0].fd, FIONREAD, &len), 0);
		usleep(100);
	}
}

static void what_was_printed_between_ready_and_a_result_that_came_at_once_is_read(void **state)
{
	struct fixture *f = *state;

	after_poll = wait_for_the_log_in_between;
	buf_add_str(&f->lease.init, INIT);
	run(f, load_then_print_and_answer);
	after_poll = NULL;
	assert_output(f, "1");
	assert_int_equal(f->outcome.log.len, 6);
	assert_script_ended_well(f);
}

static int64_t on_over(void *arg)
{
	struct fixture *f = arg;

	f->over++;
	return INT64_MAX;
}

static void be_patient(struct fixture *f, int64_t patience_us, int64_t (*over)(void *arg))
{
	f->patience = (struct patience){.due_us = clock_mono_us() + patience_us, .over = over, .arg = f};
	invocation_free(&f->invocation);
	f->invocation = invocation_new(f->conf, NULL, &f->patience);
}

static void answer_in_a_while(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	expect_invoke(control, &payload);
	usleep(150000);
	fake_agent_result(control, ID, "1");
	fake_agent_wait_for_close(control);
}

static void patience_ends_when_an_answer_takes_long(void **state)
{
	struct fixture *f = *state;

	be_patient(f, 20000, on_over);
	run(f, answer_in_a_while);
	assert_output(f, "1");
	assert_int_equal(f->over, 1);
}

static void load_slowly(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INIT, &payload);
	usleep(150000);
	fake_agent_send(control, FRAME_READY, "{}");
	fake_agent_wait_for_close(control);
}

static void patience_ends_when_loading_takes_long(void **state)
{
	struct fixture *f = *state;

	be_patient(f, 20000, on_over);
	buf_add_str(&f->lease.init, INIT);
	start(f, load_slowly);
	invocation_init(f->invocation, &f->lease, &f->outcome);
	assert_int_equal(f->outcome.kind, OUTCOME_SUCCESS);
	assert_int_equal(f->over, 1);
}

#define MINUTE 60000000

static void a_fast_answer_does_not_cost_patience(void **state)
{
	struct fixture *f = *state;

	be_patient(f, 5 * MINUTE, on_over);
	f->lease.usual_us = MINUTE;
	run(f, print_and_answer);
	assert_output(f, "{\"a\": [1]}");
	assert_int_equal(f->over, 0);
}

/* The agent prints when it has its request. */
static int64_t on_over_wait_for_the_agent(void *arg)
{
	struct fixture *f = arg;

	wait_for(f->lease.log_fd);
	return on_over(arg);
}

static void a_version_known_to_be_slow_ends_it_as_soon_as_it_has_its_request(void **state)
{
	struct fixture *f = *state;

	be_patient(f, MINUTE, on_over_wait_for_the_agent);
	f->lease.usual_us = 2 * MINUTE;
	run(f, print_and_answer);
	assert_output(f, "{\"a\": [1]}");
	assert_int_equal(f->over, 1);
}

/* Shared with agents and poolmgrs. */
static struct shared {
	_Atomic int untouched; /* agents that were left alone after their first invocation */
	_Atomic int touched;   /* and those that were not */
} * shared;
static int go_fd;

static void serve_one_and_watch(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};
	char byte;

	(void)log;
	expect_invoke(control, &payload);
	fake_agent_result(control, ID, "1");
	if (read(control, &byte, 1) == 0)
		shared->untouched++;
	else
		shared->touched++;
}

static int set_up_poolmgr(void **state)
{
	int rc = set_up(state);
	struct fixture *f = *state;

	f->dir = unit_make_dir();
	f->client = lease_client_new(f->dir, NULL, true);
	f->lease = LEASE_NONE;
	invocation_free(&f->invocation);
	f->invocation = invocation_new(f->conf, f->client, NULL);
	go_fd = eventfd(0, EFD_CLOEXEC);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return rc;
}

static int tear_down_poolmgr(void **state)
{
	int rc = tear_down(state);

	fd_close(&go_fd);
	munmap(shared, sizeof(*shared));
	return rc;
}

#define SERVE(f, restart, ...)                                                                                                 \
	do {                                                                                                                   \
		static void (*const scripts_[])(int) = {__VA_ARGS__};                                                          \
		fake_poolmgr_start(&(f)->poolmgr, (f)->dir, scripts_, ARRAY_SIZE(scripts_), restart);                          \
	} while (0)

static void acquire(struct fixture *f, enum ipc_start_kind expected)
{
	int64_t deadline_us = clock_mono_us() + 5000000;

	assert_int_equal(lease_acquire(f->client, "hello", 0, REQUEST_ID, deadline_us, &f->lease, &f->denial), 0);
	assert_int_equal(f->lease.start_kind, expected);
}

/* Has a sandbox kept after its first invocation. */
static void keep_one(struct fixture *f)
{
	acquire(f, IPC_START_PREWARMED);
	invoke(f);
	assert_output(f, "1");
	lease_release(f->client, &f->lease, 0);
}

static void await_go(void)
{
	eventfd_t value;

	fake_poolmgr_check(eventfd_read(go_fd, &value) == 0, "go");
}

static void assert_untouched(struct fixture *f)
{
	assert_int_equal(f->outcome.kind, OUTCOME_UNTOUCHED);
	assert_int_equal(f->outcome.destroy_reason, 0);
	assert_true(f->outcome.problem.detail[0] != '\0');
	lease_release(f->client, &f->lease, f->outcome.destroy_reason);
	while (shared->untouched + shared->touched == 0)
		usleep(1000);
	assert_int_equal(shared->untouched, 1);
}

static void grant_and_recall_when_told(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", serve_one_and_watch);
	await_go();
	fake_poolmgr_recall(fd, FAKE_LEASE_ID);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.reason == 0, "it may serve again");
	fake_poolmgr_expect_close(fd);
}

static void a_kept_sandbox_that_was_asked_for_is_not_used(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, grant_and_recall_when_told);
	keep_one(f);
	acquire(f, IPC_START_WARM);
	eventfd_write(go_fd, 1);
	wait_for(lease_watch_fd(f->client));
	invoke(f);
	assert_untouched(f);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_and_vanish_when_told(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", serve_one_and_watch);
	await_go();
	close(fd);
	while (shared->untouched + shared->touched == 0) /* the agent ends with this process */
		usleep(1000);
}

static void a_kept_sandbox_whose_poolmgr_is_gone_is_not_used(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, grant_and_vanish_when_told);
	keep_one(f);
	acquire(f, IPC_START_WARM);
	eventfd_write(go_fd, 1);
	wait_for(lease_watch_fd(f->client));
	invoke(f);
	assert_untouched(f);
	assert_int_equal(lease_watch_fd(f->client), -1);
}

static void recall_another_one(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", print_and_answer_many);
	await_go();
	fake_poolmgr_recall(fd, FAKE_LEASE_ID + 1);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.runs == 2, "runs");
	fake_poolmgr_expect_close(fd);
}

static void a_kept_sandbox_is_used_when_it_was_another_one_that_was_asked_for(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, recall_another_one);
	keep_one(f);
	acquire(f, IPC_START_WARM);
	eventfd_write(go_fd, 1);
	wait_for(lease_watch_fd(f->client));
	invoke(f);
	assert_output(f, "1");
	lease_release(f->client, &f->lease, 0);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_and_recall_at_once(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", serve_one_and_watch);
	fake_poolmgr_recall(fd, FAKE_LEASE_ID);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.runs == 1 && m.release.reason == 0, "one run");
	fake_poolmgr_expect_close(fd);
}

/* It was granted for this request: only the next one has to do without. */
static void a_new_sandbox_serves_even_when_it_is_asked_for_already(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, grant_and_recall_at_once);
	acquire(f, IPC_START_PREWARMED);
	wait_for(lease_watch_fd(f->client));
	invoke(f);
	assert_output(f, "1");
	lease_release(f->client, &f->lease, 0);
	assert_true(lease_rest(f->client, clock_mono_us()) == INT64_MAX);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

/* ---- How a sandbox ended whose agent is gone: poolmgr knows ---- */

static struct finding finding; /* what the next poolmgr finds */

static void find_out(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", print_and_exit);
	fake_poolmgr_expect(fd, IPC_AUTOPSY, &m);
	fake_poolmgr_check(m.autopsy.lease_id == FAKE_LEASE_ID, "lease id");
	fake_poolmgr_find(fd, &m, finding.known, finding.out_of_memory, finding.exit_code);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.reason != 0, "not to be used again");
	fake_poolmgr_expect_close(fd);
}

/* One invocation in a sandbox whose agent says something and is gone. */
static void invoke_and_ask(struct fixture *f)
{
	SERVE(f, 0, find_out);
	acquire(f, IPC_START_PREWARMED);
	invoke(f);
	lease_release(f->client, &f->lease, f->outcome.destroy_reason);
	assert_log(f, "last words\n");
	assert_string_equal(text_member(f, "phase"), "exec");
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
	f->client = lease_client_new(f->dir, NULL, true);
	invocation_free(&f->invocation);
	f->invocation = invocation_new(f->conf, f->client, NULL);
	char path[200];
	snprintf(path, sizeof(path), "%s/" IPC_SOCKET_NAME, f->dir);
	unlink(path);
}

static void an_agent_that_exits_is_reported_with_its_exit_code_or_signal(void **state)
{
	static const struct {
		uint32_t exit_code;
		const char *signal, *said;
	} cases[] = {
		{0, NULL, "exited with code 0"},       {3, NULL, "exited with code 3"},
		{128, NULL, "exited with code 128"},   {137, "SIGKILL", "was killed by SIGKILL"},
		{139, "SIGSEGV", "killed by SIGSEGV"}, {168, NULL, "exited with code 168"}, /* has no name */
		{255, NULL, "exited with code 255"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		finding = (struct finding){.known = true, .exit_code = cases[i].exit_code};
		invoke_and_ask(f);
		assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_EXITED);
		assert_int_equal(member(f, "exit_code"), cases[i].signal != NULL ? -1 : (int64_t)cases[i].exit_code);
		assert_string_equal(text_member(f, "signal"), cases[i].signal ?: "");
		assert_non_null(strstr(f->outcome.problem.detail, cases[i].said));
	}
}

static void assert_exited_without_more(const struct fixture *f)
{
	assert_failed(f, PROBLEM_SANDBOX_EXITED, COUNT_KILL_EXITED);
	assert_string_equal(text_member(f, "phase"), "exec");
	assert_int_equal(json_object_size(f->outcome.problem.members), 1);
	assert_non_null(strstr(f->outcome.problem.detail, "closed its connection"));
}

static void what_poolmgr_does_not_know_is_not_made_up(void **state)
{
	struct fixture *f = *state;

	finding = (struct finding){0};
	invoke_and_ask(f);
	assert_exited_without_more(f);
}

/* The cgroup goes with the container, so its files may have nothing to say. */
static void poolmgr_may_know_that_memory_ran_out(void **state)
{
	struct fixture *f = *state;

	finding = (struct finding){.known = true, .out_of_memory = true, .exit_code = 137};
	invoke_and_ask(f);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_int_equal(member(f, "limit_mb"), 128);
	assert_int_equal(member(f, "peak_mb"), 128);
	assert_int_equal(f->outcome.memory_bytes, 128 << 20);
	assert_int_equal(f->outcome.cpu_us, -1);
}

static void print_and_exit_in_a_cgroup(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	expect_invoke(control, &payload);
	fd_write_all(log, "last words\n", 11, NULL);
	cgroup_says("usage_usec 5000\n", "70000000\n", "oom_kill 2\n");
}

static void find_out_of_memory_when_the_cgroup_is_gone(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", print_and_exit_in_a_cgroup);
	fake_poolmgr_expect(fd, IPC_AUTOPSY, &m);
	cgroup_says("", "", "");
	fake_poolmgr_find(fd, &m, true, true, 137);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_expect_close(fd);
}

static void what_was_measured_before_poolmgr_was_asked_is_kept(void **state)
{
	struct fixture *f = *state;

	make_cgroup(f, fake_poolmgr_meter_fds);
	SERVE(f, 0, find_out_of_memory_when_the_cgroup_is_gone);
	for (int i = 0; i < 3; i++)
		fd_close(&fake_poolmgr_meter_fds[i]);
	acquire(f, IPC_START_PREWARMED);
	invoke(f);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_int_equal(member(f, "peak_mb"), 66);
	assert_int_equal(f->outcome.memory_bytes, 70000000);
	assert_int_equal(f->outcome.cpu_us, 4000);
	lease_release(f->client, &f->lease, f->outcome.destroy_reason);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_in_a_cgroup(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", print_and_be_killed_for_memory);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m); /* without a question before */
	fake_poolmgr_check(m.release.reason != 0, "not to be used again");
	fake_poolmgr_expect_close(fd);
}

static void what_the_cgroup_says_need_not_be_asked(void **state)
{
	struct fixture *f = *state;

	make_cgroup(f, fake_poolmgr_meter_fds);
	SERVE(f, 0, grant_in_a_cgroup);
	for (int i = 0; i < 3; i++)
		fd_close(&fake_poolmgr_meter_fds[i]);
	acquire(f, IPC_START_PREWARMED);
	invoke(f);
	assert_failed(f, PROBLEM_OUT_OF_MEMORY, COUNT_KILL_MEMORY);
	assert_int_equal(member(f, "peak_mb"), 128);
	lease_release(f->client, &f->lease, f->outcome.destroy_reason);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void print_and_exit_in_a_while(int control, int log)
{
	print_and_exit(control, log);
	usleep(100000);
}

static void grant_and_vanish(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", print_and_exit_in_a_while);
	close(fd);
	pause(); /* the agent ends with this process, which is killed when the test is over */
}

static void without_poolmgr_an_exit_is_reported_without_more_and_at_once(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 1, grant_and_vanish);
	acquire(f, IPC_START_PREWARMED);
	int64_t start_us = clock_mono_us();
	invoke(f);
	assert_true(clock_mono_us() - start_us < 900000);
	assert_exited_without_more(f);
	assert_log(f, "last words\n");
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
		TEST(what_an_invocation_used_is_in_its_outcome),
		TEST(without_a_cgroup_what_it_used_is_not_known),
		TEST(an_agent_that_was_killed_for_its_memory_is_out_of_memory),
		TEST(a_kill_for_memory_explains_a_timeout_of_gvisor_only),
		TEST(too_much_memory_for_loading_is_of_phase_init),
		TEST(a_kill_before_the_invocation_is_not_this_ones),
		TEST(an_output_may_have_the_functions_response_bytes_and_no_more),
		TEST(no_frame_far_beyond_the_functions_response_bytes_is_waited_for),
		TEST(of_a_log_the_functions_log_bytes_are_kept),
		TEST(an_error_of_the_function_leaves_its_sandbox_in_use),
		TEST(an_error_after_which_the_agent_exits_ends_the_sandbox),
		TEST(an_output_over_the_limit_is_refused_with_its_size),
		TEST(an_agent_that_does_not_check_the_size_is_checked),
		TEST(an_output_that_is_no_json_is_never_passed_on),
		TEST(whatever_breaks_the_protocol_ends_the_sandbox_not_the_worker),
		TEST(an_answer_to_the_invocation_before_is_passed_over_and_the_last_of_its_sandbox),
		TEST(an_error_report_of_wrong_types_is_still_an_error_of_the_function),
		TEST(a_sandbox_that_speaks_before_it_is_asked_is_not_used),
		TEST(a_sandbox_that_died_while_it_was_idle_is_not_used),
		TEST(a_sandbox_that_speaks_on_after_its_answer_is_not_used_again),
		TEST(what_was_printed_before_is_counted_but_not_shown),
		TEST(a_flood_of_log_is_read_counted_and_costs_no_memory),
		TEST(a_log_without_end_does_not_outlast_the_deadline),
		TEST(secrets_without_number_do_not_outlast_the_deadline),
		TEST(an_answer_may_come_byte_by_byte),
		TEST(bytes_that_keep_coming_do_not_move_the_deadline),
		TEST(a_large_input_and_a_large_log_do_not_wait_for_each_other),
		TEST(one_sandbox_serves_one_invocation_after_the_other),
		TEST(a_function_that_closes_its_log_can_still_answer),
		TEST(an_agent_that_does_not_listen_is_waited_for_and_ends),
		TEST(what_was_printed_before_the_answer_is_always_read),
		TEST(what_is_there_together_with_the_answer_is_read),
		TEST(what_was_printed_between_ready_and_a_result_that_came_at_once_is_read),
		TEST(patience_ends_when_an_answer_takes_long),
		TEST(patience_ends_when_loading_takes_long),
		TEST(a_fast_answer_does_not_cost_patience),
		TEST(a_version_known_to_be_slow_ends_it_as_soon_as_it_has_its_request),
#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_poolmgr, tear_down_poolmgr)
		TEST(a_kept_sandbox_that_was_asked_for_is_not_used),
		TEST(a_kept_sandbox_whose_poolmgr_is_gone_is_not_used),
		TEST(a_kept_sandbox_is_used_when_it_was_another_one_that_was_asked_for),
		TEST(a_new_sandbox_serves_even_when_it_is_asked_for_already),
		TEST(an_agent_that_exits_is_reported_with_its_exit_code_or_signal),
		TEST(what_poolmgr_does_not_know_is_not_made_up),
		TEST(poolmgr_may_know_that_memory_ran_out),
		TEST(what_was_measured_before_poolmgr_was_asked_is_kept),
		TEST(what_the_cgroup_says_need_not_be_asked),
		TEST(without_poolmgr_an_exit_is_reported_without_more_and_at_once),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
