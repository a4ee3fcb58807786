/* How a sandbox ended, and that nothing remains of a lease. */
#include "run/lease.h"

#include "base/clock.h"
#include "tests/unit/run/lease_rig.h"

static void answer_postmortems(int fd)
{
	struct ipc_msg m;

	grant_as(fd, 5);
	for (int i = 0; i < 3; i++) {
		fake_poolmgr_expect(fd, IPC_POSTMORTEM, &m);
		fake_poolmgr_check(m.postmortem.lease_id == 5, "lease id");
		fake_poolmgr_recall(fd, 5); /* a recall may come at any time */
		fake_poolmgr_find(fd, &m, i != 2, i == 1, i == 0 ? 139 : 0);
	}
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_expect_close(fd);
}

static void poolmgr_is_asked_how_a_sandbox_ended(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, answer_postmortems);
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	struct finding signal = lease_postmortem(f->client, &f->lease);
	assert_true(signal.known && !signal.out_of_memory);
	assert_int_equal(signal.exit_code, 139);
	struct finding memory = lease_postmortem(f->client, &f->lease);
	assert_true(memory.known && memory.out_of_memory);
	struct finding nothing = lease_postmortem(f->client, &f->lease);
	assert_false(nothing.known || nothing.out_of_memory);
	lease_release(f->client, &f->lease, COUNT_KILL_EXITED);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_and_never_answer(int fd)
{
	struct ipc_msg m;

	grant_as(fd, 1);
	fake_poolmgr_expect(fd, IPC_POSTMORTEM, &m);
	fake_poolmgr_expect_close(fd);
}

static void a_poolmgr_that_is_stuck_makes_nobody_wait_for_ever(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, grant_and_never_answer);
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	int64_t start_us = clock_mono_us();
	assert_false(lease_postmortem(f->client, &f->lease).known);
	assert_in_range(clock_mono_us() - start_us, 6400000, 8000000); /* it is longer than poolmgr waits for Docker */
	lease_release(f->client, &f->lease, COUNT_KILL_EXITED);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void vanish_when_asked(int fd)
{
	struct ipc_msg m;

	grant_as(fd, 1);
	fake_poolmgr_expect(fd, IPC_POSTMORTEM, &m);
}

/* The new poolmgr knows nothing of the previous one's grants. */
static void expect_no_question(int fd)
{
	fake_poolmgr_expect_close(fd);
}

static void another_poolmgr_is_not_asked_how_it_ended(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 1, vanish_when_asked, expect_no_question);
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	int64_t start_us = clock_mono_us();
	assert_false(lease_postmortem(f->client, &f->lease).known); /* poolmgr ends */
	assert_int_equal(lease_watch_fd(f->client), -1);
	assert_false(lease_postmortem(f->client, &f->lease).known); /* poolmgr has ended */
	assert_true(clock_mono_us() - start_us < 500000);
	for (int i = 0; i < 100 && lease_watch_fd(f->client) < 0; i++) {
		usleep(20000);
		lease_watch(f->client);
	}
	assert_int_equal(lease_watch_generation(f->client), 2);
	assert_false(lease_postmortem(f->client, &f->lease).known); /* another poolmgr runs */
	lease_release(f->client, &f->lease, COUNT_KILL_EXITED);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void answer_a_postmortem_with_done(int fd)
{
	struct ipc_msg m;

	grant_as(fd, 1);
	fake_poolmgr_expect(fd, IPC_POSTMORTEM, &m);
	struct ipc_msg done = {.type = IPC_DONE, .done.seq = m.postmortem.seq};
	fake_poolmgr_send(fd, &done);
	fake_poolmgr_expect_close(fd);
}

static void only_a_finding_says_how_a_sandbox_ended(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, answer_a_postmortem_with_done);
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	assert_false(lease_postmortem(f->client, &f->lease).known);
	lease_release(f->client, &f->lease, COUNT_KILL_EXITED);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_for_each_end(int fd)
{
	struct ipc_msg m;

	grant_as(fd, 1);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_single_use = 1;
	grant_as(fd, 2);
	expect_back_of(fd, 2, 1);
	fake_poolmgr_single_use = 0;
	fake_poolmgr_lease_id = 3;
	fake_poolmgr_expect(fd, IPC_CHECK, &m);
	close(m.fds[0]);
	fake_poolmgr_grant(fd, &m, "{}", idle_agent);
	expect_back_of(fd, 3, 0);
	grant_as(fd, 4);
	expect_back_of(fd, 4, 1); /* it was kept until its time was over */
	grant_as(fd, 5);
	fake_poolmgr_recall(fd, 5);
	expect_back_of(fd, 5, 1);
	grant_as(fd, 6); /* and ends */
}

static void no_descriptor_outlasts_its_lease(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 1, grant_for_each_end, expect_no_question);
	int fds = unit_open_fds() + 1; /* the connection */

	assert_int_equal(acquire(f, 5 * SECOND), 0);
	assert_int_equal(unit_open_fds(), fds + FDS_OF_A_LEASE);
	lease_release(f->client, &f->lease, COUNT_KILL_TIMEOUT);
	assert_int_equal(unit_open_fds(), fds);

	assert_int_equal(acquire(f, 5 * SECOND), 0);
	lease_release(f->client, &f->lease, 0); /* it was for one invocation only */
	assert_int_equal(unit_open_fds(), fds);

	int64_t deadline_us = clock_mono_us() + 5 * SECOND;
	assert_int_equal(lease_check(f->client, "{}", "archive", 7, "req-1", deadline_us, &f->lease, &f->denial), 0);
	assert_int_equal(unit_open_fds(), fds + FDS_OF_A_LEASE);
	lease_release(f->client, &f->lease, 0);
	assert_int_equal(unit_open_fds(), fds);

	use_one(f, "hello", 3, IPC_START_PREWARMED);
	assert_int_equal(unit_open_fds(), fds + FDS_OF_A_LEASE);
	lease_expire(f->client, clock_mono_us() + LEASE_KEEP_US);
	assert_int_equal(unit_open_fds(), fds);

	assert_int_equal(acquire(f, 5 * SECOND), 0);
	await_word(f);
	lease_hear(f->client);
	lease_release(f->client, &f->lease, 0); /* it was recalled */
	assert_int_equal(unit_open_fds(), fds);

	assert_int_equal(acquire(f, 5 * SECOND), 0);
	await_hangup(f);
	for (int i = 0; i < 100 && lease_watch_generation(f->client) < 2; i++) {
		lease_watch(f->client);
		usleep(20000);
	}
	assert_int_equal(unit_open_fds(), fds + FDS_OF_A_LEASE);
	lease_release(f->client, &f->lease, 0); /* poolmgr never granted it, so this closes the connection too */
	assert_int_equal(unit_open_fds(), fds - 1);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lease_rig_set_up, lease_rig_tear_down)
		TEST(poolmgr_is_asked_how_a_sandbox_ended),      TEST(a_poolmgr_that_is_stuck_makes_nobody_wait_for_ever),
		TEST(another_poolmgr_is_not_asked_how_it_ended), TEST(only_a_finding_says_how_a_sandbox_ended),
		TEST(no_descriptor_outlasts_its_lease),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
