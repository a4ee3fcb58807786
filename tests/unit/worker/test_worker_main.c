/* A whole invoke worker, between a web server, a poolmgr and an agent that are the test's. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "run/lease.h"
#include "tests/unit/worker/worker_rig.h"

static bool has_turn(const struct fixture *f, int slot)
{
	return atomic_load(&scoreboard_slot(f->board, slot)->has_turn) != 0;
}

static int set_up_behind_the_gate(void **state)
{
	return worker_rig_set_up_with(state, 0, 128, false);
}

/* It has a queue of the API's, whatever it serves. */
static int set_up_of_another_pool(void **state)
{
	worker_role = CHILD_CONTROL;
	int rc = worker_rig_set_up(state);
	worker_role = CHILD_INVOKE;
	return rc;
}

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
					.reason = STR("function_concurrency"),
					.detail = STR("50 sandboxes run it"),
					.retry_after_ms = 1500,
					.function_id = uuid_new(),
					.version = 2}};
	fake_poolmgr_send(fd, &deny);
	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_deny(fd, &m, PROBLEM_NOT_FOUND, "", 0);
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
	assert_int_equal(r.start_kind.len, 0);
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
	usleep(50000); /* what it says is there before the worker looks */
	int none = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct ipc_msg grant = {
		.type = IPC_GRANT,
		.grant = {.seq = m.lease.seq, .sandbox_id = STR("bad"), .timeout_ms = 1000, .runtime = STR("docker")},
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

static void a_worker_that_is_told_to_stop_finishes_its_request(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, one_long_lease);
	int fd = send_request(f, "POST", "/execute/hello", "{}", 2);
	usleep(150000);
	assert_int_equal(scoreboard_slot(f->board, 0)->state, SLOT_BUSY);
	kill(f->worker, SIGTERM);
	receive_answer(f, fd);
	assert_answer(f, "{\"output\":\"late\"}");
	assert_int_equal(wait_for_worker(f), 0);
	assert_int_equal(scoreboard_slot(f->board, 0)->state, SLOT_STOPPING);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void a_worker_that_is_told_to_quit_goes_at_once(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, one_long_lease);
	int fd = send_request(f, "POST", "/execute/hello", "{}", 2);
	usleep(150000);
	kill(f->worker, SIGQUIT);
	assert_int_equal(wait_for_worker(f), 0);
	char byte;
	assert_true(read(fd, &byte, 1) <= 0); /* it did not wait for an answer to pass on */
	close(fd);
}

static void a_worker_without_a_master_goes(void **state)
{
	struct fixture *f = *state;

	ask(f, "GET", "/", "");
	fd_close(&f->life[1]);
	assert_int_equal(wait_for_worker(f), 0);
}

static void grant_a_long_one_and_vanish(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", take_long);
	usleep(100000);
}

static void let_the_held_one_finish(int fd)
{
	fake_poolmgr_check(strcmp(fake_poolmgr_held, FAKE_SANDBOX) == 0, "the held sandbox");
	fake_poolmgr_expect_close(fd);
}

static void an_invocation_outlives_its_poolmgr(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 1, grant_a_long_one_and_vanish, let_the_held_one_finish);
	ask(f, "POST", "/execute/hello", "{}");
	assert_answer(f, "{\"output\":\"late\"}");
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
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
	close(send_request(f, "POST", "/execute/hello", "{}", 2));
	ask(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
	assert_int_equal(read_spool(f, &r, &text), 1);
	free(text);
}

static void a_request_that_waited_too_long_in_its_lane_is_refused_at_once(void **state)
{
	struct fixture *f = *state;

	manner.queued_ago_us = f->conf->pool_queue_timeout_ms * 1000;
	ask(f, "POST", "/execute/hello", "{}");
	assert_answer(f, "Status: 503\r\n");
	assert_answer(f, "\"code\":\"overloaded\"");
	assert_answer(f, "Retry-After: ");
}

static void what_waited_too_long_for_another_pool_is_refused_at_once(void **state)
{
	struct fixture *f = *state;

	manner.queued_ago_us = f->conf->control_queue_timeout_ms * 1000;
	ask(f, "GET", "/healthz", "");
	assert_answer(f, "Status: 503\r\n");
	assert_answer(f, "No worker was free for the request within 20000 ms");
	assert_answer(f, "Retry-After: ");
	manner.queued_ago_us = f->conf->control_queue_timeout_ms * 500;
	ask(f, "GET", "/healthz", "");
	assert_answer(f, "Status: 404\r\n"); /* it has the routes of an invoke worker */
}

static void the_time_in_the_lane_counts_as_time_in_the_queue(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	SERVE(f, 0, serve_all_echo);
	manner.queued_ago_us = 3000000;
	ask(f, "POST", "/execute/hello", "{\"input\":1}");
	assert_answer(f, "Server-Timing: queue;dur=3");
	assert_int_equal(read_spool(f, &r, &text), 1);
	assert_true(r.queue_us >= 2999000 && r.response_us >= r.queue_us && r.queue_us < 20000000);
	assert_true((int64_t)r.requested_at_us <= clock_wall_us() - 2999000);
	free(text);
}

static void a_request_whose_client_left_while_it_waited_is_not_run(void **state)
{
	struct fixture *f = *state;

	kill(f->worker, SIGSTOP);
	manner.queued_ago_us = 1000000;
	close(send_request(f, "POST", "/execute/hello", "{}", 2)); /* there is no poolmgr to ask */
	manner.queued_ago_us = 0;
	kill(f->worker, SIGCONT);
	ask(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
	assert_int_equal(requests_of(f, 0), 1 + (slot_state(f, 0) == SLOT_IDLE));
}

static void every_lane_is_served(void **state)
{
	struct fixture *f = *state;

	for (manner.lane = 0; manner.lane < LANES; manner.lane++) {
		ask(f, "GET", "/", "");
		assert_answer(f, "Status: 404\r\n");
	}
}

/* Waits for its sandbox until the test says so. */
static void grant_when_it_may(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	shared->seen = true;
	while (!shared->go)
		usleep(1000);
	fake_poolmgr_grant(fd, &m, "", echo);
	fake_poolmgr_expect_close(fd);
}

static void a_request_that_waits_for_its_sandbox_says_in_which_lane(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, grant_when_it_may);
	manner.lane = 1;
	int fd = send_request(f, "POST", "/execute/hello", "{\"input\":1}", 11);
	while (!shared->seen)
		usleep(1000);
	assert_int_equal(atomic_load(&scoreboard_slot(f->board, 0)->waits_in), 2);
	shared->go = true;
	receive_answer(f, fd);
	assert_answer(f, "Status: 200\r\n");
	assert_int_equal(atomic_load(&scoreboard_slot(f->board, 0)->waits_in), 0);
}

static void a_kept_sandbox_serves_the_next_request_without_poolmgr(void **state)
{
	struct fixture *f = *state;
	bool warm = false;
	int requests = 0;

	SERVE(f, 0, serve_all_echo);
	while (!warm) {
		assert_true(++requests < 100);
		ask(f, "POST", "/execute/hello", "{\"input\":1}");
		assert_answer(f, "{\"output\":{\"input\":1}}");
		warm = strstr(f->answer.data, "Berth-Start: warm\r\n") != NULL; /* no grant says so */
	}
	assert_true(shared->leases < requests);
}

static void expect_it_back_in_a_moment(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_grant(fd, &m, "", echo);
	int64_t start_us = clock_mono_us();
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(clock_mono_us() >= start_us + LEASE_KEEP_US, "it was kept");
	fake_poolmgr_check(m.release.runs == 1 && m.release.reason == 0, "one good run");
}

static void a_kept_sandbox_goes_back_when_no_request_comes(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, expect_it_back_in_a_moment);
	ask(f, "POST", "/execute/hello", "{\"input\":1}");
	assert_answer(f, "Status: 200\r\n");
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void lease_once_then_end(int fd)
{
	lease_to(fd, echo, 0);
	fake_poolmgr_expect_close(fd);
}

static void a_kept_sandbox_goes_back_when_the_worker_ends(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, lease_once_then_end);
	ask(f, "POST", "/execute/hello", "{\"input\":1}");
	kill(f->worker, SIGTERM);
	assert_int_equal(wait_for_worker(f), 0);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

/* Whoever waits here longer than it should has a slow machine; what may never happen is that it always does. */
#define TRIES 100

static void recall_between_requests(int fd)
{
	struct ipc_msg m;

	for (int i = 0; i < TRIES && !shared->seen; i++) {
		fake_poolmgr_expect(fd, IPC_LEASE, &m);
		int64_t start_us = clock_mono_us();
		fake_poolmgr_grant(fd, &m, "", echo);
		while (!shared->go)
			usleep(100);
		fake_poolmgr_recall(fd, FAKE_LEASE_ID);
		fake_poolmgr_expect(fd, IPC_RELEASE, &m);
		if (clock_mono_us() < start_us + LEASE_KEEP_US)
			shared->seen = true;
		shared->go = false;
	}
}

static void a_recall_between_requests_is_answered_at_once(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, recall_between_requests);
	for (int i = 0; i < TRIES && !shared->seen; i++) {
		ask(f, "POST", "/execute/hello", "{\"input\":1}");
		assert_answer(f, "Status: 200\r\n");
		shared->go = true;
		while (shared->go) /* until it is back */
			usleep(100);
	}
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
	assert_true(shared->seen);
}

static bool is_about(const struct ipc_msg *lease, const char *function)
{
	return lease->lease.function.len == strlen(function) &&
	       memcmp(lease->lease.function.data, function, strlen(function)) == 0;
}

/* Until the fast function's sandbox is still kept when the slow one is asked for, which is answered when it came back. */
static void expect_the_fast_one_back_during_the_slow_one(int fd)
{
	struct ipc_msg m;
	bool fast_is_out = false;

	while (!shared->seen) {
		fake_poolmgr_check(fake_poolmgr_receive(fd, &m) == 1, "the worker closed");
		if (m.type == IPC_RELEASE) {
			fast_is_out = fast_is_out && m.release.lease_id != 1;
			continue;
		}
		bool fast = is_about(&m, "fast"), answer_at_once = fast || !fast_is_out;
		fake_poolmgr_lease_id = fast ? 1 : 2;
		fake_poolmgr_grant(fd, &m, "", answer_at_once ? echo : wait_for_go);
		fast_is_out = fast_is_out || fast;
		if (answer_at_once)
			continue;
		fake_poolmgr_expect(fd, IPC_RELEASE, &m);
		fake_poolmgr_check(m.release.lease_id == 1, "the fast one's");
		shared->seen = true;
		shared->go = true;
	}
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
}

static void what_is_kept_goes_back_when_a_request_takes_long(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, expect_the_fast_one_back_during_the_slow_one);
	for (int i = 0; i < TRIES && !shared->seen; i++) {
		ask(f, "POST", "/execute/fast", "{}");
		assert_answer(f, "Status: 200\r\n");
		ask(f, "POST", "/execute/slow", "{}");
		assert_answer(f, "Status: 200\r\n");
		usleep(2 * LEASE_KEEP_US); /* the slow one's is not kept into the next round */
	}
	assert_true(shared->seen);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

/* One turn and two workers; the first has it. */
static int set_up_two_of(void **state, int max_workers)
{
	int rc = worker_rig_set_up_with(state, 1, max_workers, true);
	struct fixture *f = *state;

	f->second = start_worker(f, 1);
	assert_true(has_turn(f, 0));
	assert_false(has_turn(f, 1));
	return rc;
}

static int set_up_two(void **state)
{
	return set_up_two_of(state, 128);
}

static int set_up_two_of_few(void **state)
{
	return set_up_two_of(state, WORKERS_MAX - 1); /* all but the one that looks */
}

static void who_has_no_turn_stands_by(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 30; i++) {
		ask(f, "GET", "/", "");
		assert_answer(f, "Status: 404\r\n");
	}
	assert_int_equal(requests_of(f, 1), 0);
	assert_true(requests_of(f, 0) >= 29); /* one is counted when it is all done */
	assert_true(has_turn(f, 0));
	assert_false(has_turn(f, 1));
}

static void serve_one_slowly(int fd)
{
	lease_to(fd, wait_for_go, 0);
	fake_poolmgr_expect_close(fd);
}

static void a_request_that_takes_long_holds_nobody_up(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, serve_one_slowly);
	int slow = send_request(f, "POST", "/execute/slow", "{}", 2);
	for (int i = 0; i < 3; i++) {
		ask(f, "GET", "/", "");
		assert_answer(f, "Status: 404\r\n");
	}
	assert_int_equal(slot_state(f, 0), SLOT_BUSY);
	assert_false(has_turn(f, 0));
	assert_true(has_turn(f, 1));
	assert_true(requests_of(f, 1) >= 2);
	shared->go = true;
	receive_answer(f, slow);
	assert_answer(f, "{\"output\":\"late\"}");
	/* Now the first one stands by. */
	ask(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
	assert_false(has_turn(f, 0));
	assert_true(requests_of(f, 0) <= 1 && requests_of(f, 1) >= 3);
}

static void wait_for_go_then_echo(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	fake_agent_expect(control, FRAME_INVOKE, &payload);
	while (!shared->go)
		usleep(1000);
	fake_agent_answer(control, &payload, "\"late\"");
	echo(control, log);
}

static void serve_all_slow_at_first(int fd)
{
	serve_all(fd, wait_for_go_then_echo);
}

static void who_lost_the_turn_but_holds_the_sandbox_serves_what_waits_in_the_lane(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, serve_all_slow_at_first);
	int slow = send_request(f, "POST", "/execute/slow", "{}", 2);
	for (int i = 0; i < 500 && !has_turn(f, 1); i++)
		usleep(10000);
	assert_true(has_turn(f, 1));
	kill(f->second, SIGSTOP); /* as if it were at work elsewhere */
	assert_int_equal(waitpid(f->second, NULL, WUNTRACED), f->second);
	int waits = send_request(f, "POST", "/execute/slow", "{\"input\":1}", 11);
	shared->go = true;
	receive_answer(f, slow);
	assert_answer(f, "{\"output\":\"late\"}");
	receive_answer(f, waits);
	assert_answer(f, "{\"output\":{\"input\":1}}");
	assert_int_equal(shared->leases, 1);
	assert_false(has_turn(f, 0));
}

/* Whoever goes on without a turn is one that nobody counts on: when all are at work, it leaves. */
static void where_workers_are_scarce_it_leaves_what_waits_to_who_has_the_turn(void **state)
{
	struct fixture *f = *state;
	struct pollfd p = {.events = POLLIN};

	SERVE(f, 0, serve_all_slow_at_first);
	int slow = send_request(f, "POST", "/execute/slow", "{}", 2);
	for (int i = 0; i < 500 && !has_turn(f, 1); i++)
		usleep(10000);
	assert_true(has_turn(f, 1));
	kill(f->second, SIGSTOP);
	assert_int_equal(waitpid(f->second, NULL, WUNTRACED), f->second);
	for (int slot = 1; slot < WORKERS_MAX; slot++)
		atomic_store(&scoreboard_slot(f->board, slot)->state, SLOT_BUSY);
	p.fd = send_request(f, "POST", "/execute/slow", "{\"input\":1}", 11);
	shared->go = true;
	receive_answer(f, slow);
	assert_int_equal(poll(&p, 1, 300), 0);
	kill(f->second, SIGCONT);
	receive_answer(f, p.fd); /* that there is no sandbox: this poolmgr hears one worker only */
	assert_answer(f, "Status: 503\r\n");
	assert_int_equal(shared->leases, 1);
}

static void a_worker_that_stands_by_can_be_told_to_stop(void **state)
{
	struct fixture *f = *state;

	kill(f->second, SIGTERM);
	assert_int_equal(wait_for_end(&f->second), 0);
	assert_int_equal(slot_state(f, 1), SLOT_STOPPING);
	ask(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
}

static void a_worker_that_ends_leaves_its_turn_to_another(void **state)
{
	struct fixture *f = *state;

	kill(f->worker, SIGTERM);
	assert_int_equal(wait_for_worker(f), 0);
	assert_false(has_turn(f, 0));
	ask(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
	assert_true(has_turn(f, 1));
}

static void the_turn_of_a_worker_that_was_killed_is_found_without_a_wake(void **state)
{
	struct fixture *f = *state;

	kill(f->worker, SIGKILL);
	assert_int_equal(wait_for_worker(f), 128 + SIGKILL);
	atomic_store(&scoreboard_slot(f->board, 0)->has_turn, 0); /* as the master does, which also wakes one */
	ask(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
	assert_true(has_turn(f, 1));
}

/* ---- The gate ---- */

static void behind_the_gate_it_is_ready_and_accepts_once_it_opens(void **state)
{
	struct fixture *f = *state;

	SERVE(f, false, serve_all_echo);
	assert_int_equal(slot_state(f, 0), SLOT_IDLE);
	int fd = send_request(f, "POST", "/execute/echo", "{\"input\": 5}", 12);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	assert_int_equal(poll(&p, 1, 100), 0);
	assert_int_equal(eventfd_write(f->gate_fd, 1), 0);
	receive_answer(f, fd);
	assert_answer(f, "Status: 200");
	eventfd_t value;
	assert_int_equal(eventfd_read(f->gate_fd, &value), 0); /* it stays open for those to come */
}

static void behind_the_gate_it_can_be_told_to_stop(void **state)
{
	struct fixture *f = *state;

	kill(f->worker, SIGTERM);
	assert_int_equal(wait_for_worker(f), 0);
}

static void behind_the_gate_it_goes_when_its_master_is_gone(void **state)
{
	struct fixture *f = *state;

	fd_close(&f->life[1]);
	assert_int_equal(wait_for_worker(f), 0);
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
		TEST(a_worker_that_is_told_to_stop_finishes_its_request),
		TEST(a_worker_that_is_told_to_quit_goes_at_once),
		TEST(a_worker_without_a_master_goes),
		TEST(an_invocation_outlives_its_poolmgr),
		TEST(what_is_not_fastcgi_costs_only_its_connection),
		TEST(a_client_that_leaves_early_costs_nothing_but_its_answer),
		TEST(a_request_that_waited_too_long_in_its_lane_is_refused_at_once),
		TEST(the_time_in_the_lane_counts_as_time_in_the_queue),
		TEST(a_request_whose_client_left_while_it_waited_is_not_run),
		TEST(every_lane_is_served),
		TEST(a_request_that_waits_for_its_sandbox_says_in_which_lane),
		TEST(a_kept_sandbox_serves_the_next_request_without_poolmgr),
		TEST(a_kept_sandbox_goes_back_when_no_request_comes),
		TEST(a_kept_sandbox_goes_back_when_the_worker_ends),
		TEST(a_recall_between_requests_is_answered_at_once),
		TEST(what_is_kept_goes_back_when_a_request_takes_long),
#undef TEST
		cmocka_unit_test_setup_teardown(what_waited_too_long_for_another_pool_is_refused_at_once,
						set_up_of_another_pool, worker_rig_tear_down),
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_behind_the_gate, worker_rig_tear_down)
		TEST(behind_the_gate_it_is_ready_and_accepts_once_it_opens),
		TEST(behind_the_gate_it_can_be_told_to_stop),
		TEST(behind_the_gate_it_goes_when_its_master_is_gone),
#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_two, worker_rig_tear_down)
		TEST(who_has_no_turn_stands_by),
		TEST(a_request_that_takes_long_holds_nobody_up),
		TEST(who_lost_the_turn_but_holds_the_sandbox_serves_what_waits_in_the_lane),
		TEST(a_worker_that_stands_by_can_be_told_to_stop),
		TEST(a_worker_that_ends_leaves_its_turn_to_another),
		TEST(the_turn_of_a_worker_that_was_killed_is_found_without_a_wake),
#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_two_of_few, worker_rig_tear_down)
		TEST(where_workers_are_scarce_it_leaves_what_waits_to_who_has_the_turn),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
