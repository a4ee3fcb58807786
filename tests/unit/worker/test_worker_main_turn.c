/* Two workers and one turn. */
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "run/lease.h"
#include "tests/unit/worker/worker_rig.h"

static bool has_turn(const struct fixture *f, int slot)
{
	return atomic_load(&scoreboard_slot(f->board, slot)->has_turn) != 0;
}

/* One turn and two workers, of which the first has the turn. */
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
	return set_up_two_of(state, WORKERS_MAX - 1); /* all workers except the one under test */
}

static void who_has_no_turn_stands_by(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 30; i++) {
		ask(f, "GET", "/", "");
		assert_answer(f, "Status: 404\r\n");
	}
	assert_int_equal(requests_of(f, 1), 0);
	assert_true(requests_of(f, 0) >= 29); /* a request is counted when it has finished completely */
	assert_true(has_turn(f, 0));
	assert_false(has_turn(f, 1));
}

static void serve_one_slowly(int fd)
{
	lease_to(fd, wait_for_go, 0);
	shared->seen = true; /* the sandbox was given back */
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
	AWAIT(shared->seen); /* while the first worker keeps the sandbox, it may take requests of the lane; then it stands
				by */
	ask(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
	assert_false(has_turn(f, 0));
	assert_int_equal(requests_of(f, 0), 1);
	assert_true(requests_of(f, 1) >= 3);
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
	AWAIT(has_turn(f, 1));
	kill(f->second, SIGSTOP); /* as if it were busy */
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

/* A worker that continues without a turn stops when all others are busy. */
static void where_workers_are_scarce_it_leaves_what_waits_to_who_has_the_turn(void **state)
{
	struct fixture *f = *state;
	struct pollfd p = {.events = POLLIN};

	SERVE(f, 0, serve_all_slow_at_first);
	int slow = send_request(f, "POST", "/execute/slow", "{}", 2);
	AWAIT(has_turn(f, 1));
	kill(f->second, SIGSTOP);
	assert_int_equal(waitpid(f->second, NULL, WUNTRACED), f->second);
	for (int slot = 1; slot < WORKERS_MAX; slot++)
		atomic_store(&scoreboard_slot(f->board, slot)->state, SLOT_BUSY);
	p.fd = send_request(f, "POST", "/execute/slow", "{\"input\":1}", 11);
	shared->go = true;
	receive_answer(f, slow);
	assert_int_equal(poll(&p, 1, 300), 0);
	kill(f->second, SIGCONT);
	receive_answer(f, p.fd); /* the answer is that there is no sandbox, because this poolmgr serves only one worker */
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
	atomic_store(&scoreboard_slot(f->board, 0)->has_turn, 0); /* as the master does, which also wakes a worker */
	ask(f, "GET", "/", "");
	assert_answer(f, "Status: 404\r\n");
	assert_true(has_turn(f, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
