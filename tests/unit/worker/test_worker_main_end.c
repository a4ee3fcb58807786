/* The start of accepting, and the end of a worker. */
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "base/fd.h"
#include "run/lease.h"
#include "tests/unit/worker/worker_rig.h"

static int set_up_behind_the_gate(void **state)
{
	return worker_rig_set_up_with(state, 0, 128, false);
}

static void a_worker_that_is_told_to_stop_finishes_its_request(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, one_long_lease);
	int fd = send_request(f, "POST", "/execute/hello", "{}", 2);
	AWAIT(shared->seen);
	assert_int_equal(scoreboard_slot(f->board, 0)->state, SLOT_BUSY);
	kill(f->worker, SIGTERM);
	shared->go = true;
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
	AWAIT(shared->seen);
	kill(f->worker, SIGQUIT);
	assert_int_equal(wait_for_worker(f), 0);
	char byte;
	assert_true(read(fd, &byte, 1) <= 0); /* it did not wait for an answer */
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
	fake_poolmgr_grant(fd, &m, "", say_and_wait_for_go);
	while (!shared->seen)
		usleep(1000);
}

static void let_the_held_one_finish(int fd)
{
	fake_poolmgr_check(strcmp(fake_poolmgr_held, FAKE_SANDBOX) == 0, "the held sandbox");
	shared->go = true;
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
	assert_int_equal(eventfd_read(f->gate_fd, &value), 0); /* it stays open for later workers */
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
		TEST(a_worker_that_is_told_to_stop_finishes_its_request),
		TEST(a_worker_that_is_told_to_quit_goes_at_once),
		TEST(a_worker_without_a_master_goes),
		TEST(an_invocation_outlives_its_poolmgr),
#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_behind_the_gate, worker_rig_tear_down)
		TEST(behind_the_gate_it_is_ready_and_accepts_once_it_opens),
		TEST(behind_the_gate_it_can_be_told_to_stop),
		TEST(behind_the_gate_it_goes_when_its_master_is_gone),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
