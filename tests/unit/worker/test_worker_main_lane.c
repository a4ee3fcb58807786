/* The lanes in which requests wait for a worker. */
#include <signal.h>

#include "base/clock.h"
#include "run/lease.h"
#include "tests/unit/worker/worker_rig.h"

/* The worker has a queue of the API, whatever it serves. */
static int set_up_of_another_pool(void **state)
{
	worker_role = CHILD_CONTROL;
	int rc = worker_rig_set_up(state);
	worker_role = CHILD_INVOKE;
	return rc;
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
	close(send_request(f, "POST", "/execute/hello", "{}", 2)); /* there is no poolmgr */
	manner.queued_ago_us = 0;
	kill(f->worker, SIGCONT);
	ask(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
	AWAIT(slot_state(f, 0) == SLOT_IDLE); /* it counts a request when it has finished it completely */
	assert_int_equal(requests_of(f, 0), 2);
}

static void every_lane_is_served(void **state)
{
	struct fixture *f = *state;

	for (manner.lane = 0; manner.lane < LANES; manner.lane++) {
		ask(f, "GET", "/", "");
		assert_answer(f, "Status: 404\r\n");
	}
}

/* The request waits for its sandbox until the test lets it continue. */
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
	AWAIT(shared->seen);
	assert_int_equal(atomic_load(&scoreboard_slot(f->board, 0)->waits_in), 2);
	shared->go = true;
	receive_answer(f, fd);
	assert_answer(f, "Status: 200\r\n");
	assert_int_equal(atomic_load(&scoreboard_slot(f->board, 0)->waits_in), 0);
}

static void take_the_withdrawal_then_serve(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	uint64_t seq = m.lease.seq;
	shared->seen = true;
	fake_poolmgr_expect(fd, IPC_WITHDRAW, &m);
	struct ipc_msg withdrawn = {.type = IPC_WITHDRAWN, .withdrawn.seq = seq};
	fake_poolmgr_send(fd, &withdrawn);
	serve_all(fd, echo);
}

static void a_request_whose_client_leaves_while_it_waits_for_its_sandbox_is_withdrawn(void **state)
{
	struct fixture *f = *state;
	struct record r;
	char *text;

	SERVE(f, 0, take_the_withdrawal_then_serve);
	int fd = send_request(f, "POST", "/execute/hello", "{\"input\":1}", 11);
	AWAIT(shared->seen);
	close(fd);
	ask(f, "POST", "/execute/hello", "{\"input\":2}");
	assert_answer(f, "{\"output\":{\"input\":2}}");
	assert_int_equal(read_spool(f, &r, &text), 1); /* the other one has no record */
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_rig_set_up, worker_rig_tear_down)
		TEST(a_request_that_waited_too_long_in_its_lane_is_refused_at_once),
		TEST(the_time_in_the_lane_counts_as_time_in_the_queue),
		TEST(a_request_whose_client_left_while_it_waited_is_not_run),
		TEST(a_request_whose_client_leaves_while_it_waits_for_its_sandbox_is_withdrawn),
		TEST(every_lane_is_served),
		TEST(a_request_that_waits_for_its_sandbox_says_in_which_lane),
#undef TEST
		cmocka_unit_test_setup_teardown(what_waited_too_long_for_another_pool_is_refused_at_once,
						set_up_of_another_pool, worker_rig_tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
