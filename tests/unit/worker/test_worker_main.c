/* The answer and the record that a worker makes of a request. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "run/lease.h"
#include "tests/support/described.h"
#include "tests/unit/worker/worker_rig.h"

static char meter_paths[3][200]; /* the files of a sandbox's cgroup: cpu, memory, oom */

static void work(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INVOKE, &payload);
	unit_write_file(meter_paths[0], "usage_usec 51000\n");
	unit_write_file(meter_paths[1], "7340032\n");
	fake_agent_answer(control, &payload, "1");
	fake_agent_wait_for_close(control);
}

static void serve_metered(int fd)
{
	struct ipc_msg m;

	for (int i = 0; i < 3; i++) {
		unit_write_file(meter_paths[i], i == 0 ? "usage_usec 1000\n" : "");
		fake_poolmgr_meter_fds[i] = open(meter_paths[i], O_RDWR | O_CLOEXEC);
	}
	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", work);
	while (fake_poolmgr_receive(fd, &m) == 1)
		;
}

static void what_an_invocation_used_is_on_record(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	for (int i = 0; i < 3; i++)
		snprintf(meter_paths[i], sizeof(meter_paths[i]), "%s/meter%d", f->dir, i);
	SERVE(f, 0, serve_metered);
	ask(f, "POST", "/execute/hello", "{}");
	assert_answer(f, "Status: 200\r\n");
	assert_int_equal(read_spool(f, &r, &text), 1);
	assert_int_equal(r.cpu_us, 50000);
	assert_int_equal(r.memory_bytes, 7340032);
	free(text);
}

static void an_invocation_is_answered_and_recorded(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	SERVE(f, 0, serve_all_echo);
	for (int i = 0; i < 3; i++) {
		ask(f, "POST", "/execute/hello", "{\"input\": {\"n\": 1}}");
		assert_answer(f, "Status: 200\r\n");
		assert_answer(f, "X-Request-Id: req-42\r\n");
		assert_answer(f, i == 0 ? "Berth-Start: prewarmed\r\n" : "Berth-Start: ");
		assert_answer(f, "Server-Timing: queue;dur=");
		assert_answer(f, "\r\n\r\n{\"output\":{\"input\": {\"n\": 1}}}");
	}
	assert_int_equal(read_spool(f, &r, &text), 3);
	assert_int_equal(r.status, 200);
	assert_int_equal(r.version, 4);
	assert_int_equal(r.error_code.len, 0);
	assert_int_equal(r.request_bytes, 19);
	assert_int_equal(r.response_bytes, 19 + strlen("{\"output\":}"));
	assert_memory_equal(r.log.data, "hi\n", 3);
	assert_true(r.response_us >= r.queue_us + r.exec_us);
	free(text);
	kill(f->worker, SIGTERM); /* it counts a request when it is all done with it */
	assert_int_equal(wait_for_worker(f), 0);
	assert_int_equal(scoreboard_slot(f->board, 0)->requests, 3);
}

static void deny_known(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	struct ipc_msg deny = {.type = IPC_DENY,
			       .deny = {.seq = m.lease.seq,
					.code = PROBLEM_THROTTLED,
					.reason = THROTTLED_FUNCTION_CONCURRENCY,
					.detail = STR("50 sandboxes run it"),
					.retry_after_ms = 1500,
					.function_id = uuid_new(),
					.version = 2}};
	fake_poolmgr_send(fd, &deny);
	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_deny(fd, &m, PROBLEM_NOT_FOUND, THROTTLED_NONE, 0);
	fake_poolmgr_expect_close(fd);
}

static void a_denial_is_recorded_only_when_the_function_is_known(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	SERVE(f, 0, deny_known);
	ask(f, "POST", "/execute/hello", "");
	assert_answer(f, "Status: 429\r\n");
	assert_answer(f, "Retry-After: 2\r\n");
	assert_answer(f, "\"reason\":\"function_concurrency\"");
	ask(f, "POST", "/execute/nobody", "");
	assert_answer(f, "Status: 404\r\n");
	assert_int_equal(read_spool(f, &r, &text), 1);
	assert_int_equal(r.status, 429);
	assert_memory_equal(r.error_code.data, "throttled", 9);
	assert_true(r.cpu_us == RECORD_UNKNOWN);
	assert_int_equal(r.start_kind, IPC_START_NONE);
	free(text);
}

static void a_bad_request_never_reaches_the_pool(void **state)
{
	static const struct {
		const char *method, *uri, *body, *answer;
	} cases[] = {
		{"POST", "/execute/x", "{", "\"code\":\"invalid_json\""},
		{"POST", "/execute/x", "[1]", "\"code\":\"invalid_request\""},
		{"POST", "/execute/x", "{\"inputs\":1}", "Unknown field 'inputs'"},
		{"POST", "/execute/x", "{\"parameters\":[]}", "parameters must be an object"},
		{"POST", "/execute/x?version=0", "{}", "'version' must be"},
		{"POST", "/execute/x?versoin=1", "{}", "Unknown query parameter 'versoin'"},
		{"POST", "/execute/%00", "{}", "Status: 400"},
		{"GET", "/execute/x", "", "Allow: POST"},
		{"POST", "/functions", "{}", "Status: 404"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ask(f, cases[i].method, cases[i].uri, cases[i].body);
		assert_answer(f, cases[i].answer);
		assert_answer(f, "application/problem+json");
	}
}

static void a_body_over_the_limit_is_read_to_its_end_and_refused(void **state)
{
	struct fixture *f = *state;
	size_t len = 9 << 20;
	char *body = calloc(1, len);

	receive_answer(f, send_request(f, "POST", "/execute/x", body, len));
	assert_written_answer_described("POST", "/execute/x", buf_str(&f->answer));
	assert_answer(f, "Status: 413\r\n");
	assert_answer(f, "\"limit\":8388608,\"actual\":9437184");
	free(body);
}

static void a_large_body_goes_through_in_both_directions(void **state)
{
	struct fixture *f = *state;
	size_t len = 5 << 20;
	char *body = malloc(len + 1);

	SERVE(f, 0, serve_all_echo);
	memset(body, 'x', len);
	memcpy(body, "{\"input\":\"", 10);
	memcpy(body + len - 2, "\"}", 3);
	receive_answer(f, send_request(f, "POST", "/execute/hello", body, len));
	assert_answer(f, "Status: 200\r\n");
	char *at = strstr(f->answer.data, "\r\n\r\n{\"output\":");
	assert_non_null(at);
	assert_memory_equal(at + 14, body, len);
	free(body);
	ask(f, "POST", "/execute/hello", "{\"input\":2}");
	assert_answer(f, "{\"output\":{\"input\":2}}");
}

static void speak_first(int control, int log)
{
	(void)log;
	fake_agent_send(control, FRAME_READY, "{}");
	fake_agent_wait_for_close(control);
}

static void one_bad_then_one_good(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	struct fake_agent a;
	fake_agent_start(&a, speak_first);
	struct pollfd said = {.fd = a.control_fd, .events = POLLIN};
	fake_poolmgr_check(poll(&said, 1, 20000) == 1, "the agent says nothing"); /* checked before the worker looks */
	int none = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct ipc_msg grant = {.type = IPC_GRANT,
				.grant = {.seq = m.lease.seq,
					  .sandbox_id = STR("bad"),
					  .start_kind = IPC_START_WARM,
					  .timeout_ms = 1000,
					  .runtime = STR("docker")},
				.fds = {a.control_fd, a.log_fd, a.error_log_fd, none, none, none}};
	fake_poolmgr_send(fd, &grant);
	close(none);
	close(a.control_fd);
	close(a.log_fd);
	close(a.error_log_fd);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.reason != 0, "the bad one is destroyed");
	lease_to(fd, echo, 0);
	fake_poolmgr_expect_close(fd);
}

static void a_sandbox_that_is_bad_before_anything_ran_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	SERVE(f, 0, one_bad_then_one_good);
	ask(f, "POST", "/execute/hello", "{}");
	assert_answer(f, "Status: 200\r\n");
	assert_int_equal(read_spool(f, &r, &text), 1);
	free(text);
}

static void end_with_the_request_unread(int control, int log)
{
	struct pollfd asked = {.fd = control, .events = POLLIN};

	(void)log;
	poll(&asked, 1, 20000);
}

static void some_that_end_unread_then_one_good(int fd)
{
	for (int i = 0; i < 4; i++)
		lease_to(fd, end_with_the_request_unread, 1);
	lease_to(fd, echo, 0);
	fake_poolmgr_expect_close(fd);
}

static void a_request_that_was_not_read_is_served_by_another_sandbox(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	SERVE(f, 0, some_that_end_unread_then_one_good);
	ask(f, "POST", "/execute/hello", "{\"input\":1}");
	assert_answer(f, "{\"output\":{\"input\":1}}");
	assert_int_equal(read_spool(f, &r, &text), 1);
	assert_int_equal(r.status, 200);
	free(text);
}

static void what_is_not_fastcgi_costs_only_its_connection(void **state)
{
	static const char *const texts[] = {"", "GET / HTTP/1.1\r\n\r\n", "\1\1", "\1\11\0\1\0\0\0\0"};
	struct fixture *f = *state;
	char path[200], rest[64];
	struct err err = {0};

	snprintf(path, sizeof(path), "%s/invoke-0.sock", f->dir);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(fd_close) int fd = fd_connect_unix(path, SOCK_STREAM, &err);
		assert_ok(fd_write_all(fd, texts[i], strlen(texts[i]), &err));
		shutdown(fd, SHUT_WR);
		while (read(fd, rest, sizeof(rest)) > 0)
			;
	}
	ask(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
}

static void a_client_that_leaves_early_costs_nothing_but_its_answer(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	SERVE(f, 0, one_long_lease);
	int fd = send_request(f, "POST", "/execute/hello", "{}", 2);
	AWAIT(shared->seen);
	close(fd);
	shared->go = true;
	ask(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
	assert_int_equal(read_spool(f, &r, &text), 1);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_rig_set_up, worker_rig_tear_down)
		TEST(an_invocation_is_answered_and_recorded),
		TEST(what_an_invocation_used_is_on_record),
		TEST(a_denial_is_recorded_only_when_the_function_is_known),
		TEST(a_bad_request_never_reaches_the_pool),
		TEST(a_body_over_the_limit_is_read_to_its_end_and_refused),
		TEST(a_large_body_goes_through_in_both_directions),
		TEST(a_sandbox_that_is_bad_before_anything_ran_is_replaced),
		TEST(a_request_that_was_not_read_is_served_by_another_sandbox),
		TEST(what_is_not_fastcgi_costs_only_its_connection),
		TEST(a_client_that_leaves_early_costs_nothing_but_its_answer),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
