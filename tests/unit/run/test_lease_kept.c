/* Sandboxes that are kept after their invocation, and when they are given back. */
#include "run/lease.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "tests/unit/run/lease_rig.h"

static void go(void)
{
	assert_int_equal(eventfd_write(go_fd, 1), 0);
}

static void await_go(void)
{
	eventfd_t value;

	fake_poolmgr_check(eventfd_read(go_fd, &value) == 0, "go");
}

#define HOLD_US 20000
#define REST_US 400000

static void grant_one_for_three_runs(int fd)
{
	struct ipc_msg m;

	grant_one(fd);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m); /* without any earlier question */
	fake_poolmgr_check(m.release.lease_id == FAKE_LEASE_ID && m.release.reason == 0, "as granted");
	fake_poolmgr_check(m.release.runs == 3, "runs");
	fake_poolmgr_check(m.release.busy_us >= 3 * HOLD_US && m.release.busy_us < REST_US, "only the time in hand");
	fake_poolmgr_expect_close(fd);
}

static void a_sandbox_is_kept_and_granted_again_without_a_word(void **state)
{
	static const enum ipc_start_kind kinds[] = {IPC_START_PREWARMED, IPC_START_WARM, IPC_START_WARM};
	struct fixture *f = *state;
	int fds = unit_open_fds(), control_fd = -1;

	SERVE(f, 0, grant_one_for_three_runs);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(acquire(f, 5 * SECOND), 0);
		assert_int_equal(f->lease.start_kind, kinds[i]);
		assert_int_equal(f->lease.init.len > 0, i == 0);
		assert_string_equal(f->lease.sandbox_id, FAKE_SANDBOX);
		assert_int_equal(f->lease.version, 4);
		assert_int_equal(f->lease.timeout_ms, FAKE_TIMEOUT_MS);
		assert_true(i == 0 || f->lease.control_fd == control_fd);
		assert_true(fcntl(f->lease.log_fd, F_GETFD) >= 0);
		assert_true(lease_is_ours(f->client));
		control_fd = f->lease.control_fd;
		usleep(HOLD_US);
		lease_release(f->client, &f->lease, 0);
		assert_int_equal(f->lease.control_fd, -1);
		assert_false(lease_is_ours(f->client));
		usleep(REST_US / 2);
	}
	lease_client_free(&f->client);
	assert_int_equal(unit_open_fds(), fds);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_three_and_expect_all_back(int fd)
{
	for (uint64_t id = 1; id <= 3; id++)
		grant_as(fd, id);
	expect_back_of(fd, 3, 1); /* the least recently used one first */
	expect_back_of(fd, 1, 2);
	expect_back_of(fd, 2, 2);
	fake_poolmgr_expect_close(fd);
}

static void another_function_or_version_gets_its_own_and_the_end_gives_all_back(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, grant_three_and_expect_all_back);
	use_one(f, "hello", 3, IPC_START_PREWARMED);
	use_one(f, "hello", 0, IPC_START_PREWARMED);
	use_one(f, "hell", 3, IPC_START_PREWARMED);
	use_one(f, "hello", 3, IPC_START_WARM);
	use_one(f, "hello", 0, IPC_START_WARM);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void recall_what_is_kept(int fd)
{
	grant_as(fd, 1);
	grant_as(fd, 2);
	await_go();
	fake_poolmgr_recall(fd, 4711); /* the worker does not have it, as if it had given it back already */
	fake_poolmgr_recall(fd, 1);
	expect_back_of(fd, 1, 2);
	grant_as(fd, 3);
	expect_back_of(fd, 2, 1);
	expect_back_of(fd, 3, 1);
	fake_poolmgr_expect_close(fd);
}

static void what_is_kept_goes_back_as_soon_as_it_is_asked_for(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, recall_what_is_kept);
	use_one(f, "hello", 3, IPC_START_PREWARMED);
	use_one(f, "other", 3, IPC_START_PREWARMED);
	use_one(f, "hello", 3, IPC_START_WARM);
	int fds = unit_open_fds();
	go();
	while (unit_open_fds() == fds) {
		await_word(f);
		lease_hear(f->client);
	}
	assert_int_equal(unit_open_fds(), fds - FDS_OF_A_LEASE);
	use_one(f, "hello", 3, IPC_START_PREWARMED);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void answer_stats(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_STATS, &m);
	struct ipc_msg stats = {.type = IPC_STATS_REPLY, .stats_reply = {.seq = m.stats.seq, .json = STR("{}")}};
	fake_poolmgr_send(fd, &stats);
}

static void recall_what_is_in_hand(int fd)
{
	grant_one(fd);
	await_go();
	fake_poolmgr_recall(fd, FAKE_LEASE_ID);
	answer_stats(fd); /* the sandbox is still in use */
	expect_back(fd, 0);
	grant_one(fd);
	expect_back_of(fd, FAKE_LEASE_ID, 1);
	fake_poolmgr_expect_close(fd);
}

static void what_is_in_hand_goes_back_when_it_is_done(void **state)
{
	AUTO(buf_free) struct buf json = {0};
	struct fixture *f = *state;
	struct err err = {0};

	SERVE(f, 0, recall_what_is_in_hand);
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	go();
	await_word(f);
	assert_true(lease_is_ours(f->client)); /* as far as this worker knows */
	lease_watch(f->client);
	assert_false(lease_is_ours(f->client));
	assert_ok(lease_stats(f->client, false, clock_mono_us() + 5 * SECOND, &json, &err));
	assert_true(f->lease.control_fd >= 0);
	lease_release(f->client, &f->lease, 0);
	/* The next sandbox was not recalled. */
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	assert_int_equal(f->lease.start_kind, IPC_START_PREWARMED);
	assert_true(lease_is_ours(f->client));
	lease_release(f->client, &f->lease, 0);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_one_more_than_can_be_kept(int fd)
{
	for (uint64_t id = 0; id <= LEASE_KEPT_MAX; id++)
		grant_as(fd, id);
	expect_back_of(fd, 1, 1);
	await_go();
	grant_as(fd, 100);
	expect_back_of(fd, 2, 1);
	for (uint64_t id = 3; id < LEASE_KEPT_MAX; id++)
		expect_back_of(fd, id, 1);
	expect_back_of(fd, 0, 2);
	expect_back_of(fd, LEASE_KEPT_MAX, 1);
	expect_back_of(fd, 100, 1);
	fake_poolmgr_expect_close(fd);
}

static void when_there_is_no_room_the_one_used_longest_ago_goes_back(void **state)
{
	struct fixture *f = *state;
	char name[8];

	SERVE(f, 0, grant_one_more_than_can_be_kept);
	for (int i = 0; i < LEASE_KEPT_MAX; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		use_one(f, name, 1, IPC_START_PREWARMED);
	}
	use_one(f, "f0", 1, IPC_START_WARM); /* now f1 is the least recently used */
	int fds = unit_open_fds();
	use_one(f, "new", 1, IPC_START_PREWARMED);
	assert_int_equal(unit_open_fds(), fds);
	go();
	use_one(f, "f1", 1, IPC_START_PREWARMED);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_two_and_expect_both_back_at_their_time(int fd)
{
	grant_as(fd, 1);
	grant_as(fd, 2);
	answer_stats(fd);
	expect_back_of(fd, 1, 1);
	answer_stats(fd);
	expect_back_of(fd, 2, 1);
	fake_poolmgr_expect_close(fd);
}

static void what_was_kept_long_enough_goes_back(void **state)
{
	AUTO(buf_free) struct buf json = {0};
	struct fixture *f = *state;
	struct err err = {0};

	SERVE(f, 0, grant_two_and_expect_both_back_at_their_time);
	assert_true(lease_expire(f->client, clock_mono_us()) == INT64_MAX);
	int64_t before_us = clock_mono_us();
	use_one(f, "one", 1, IPC_START_PREWARMED);
	int64_t between_us = clock_mono_us();
	usleep(1000);
	use_one(f, "two", 1, IPC_START_PREWARMED);
	int64_t first_us = lease_expire(f->client, before_us);
	assert_true(first_us >= before_us + LEASE_KEEP_US && first_us <= between_us + LEASE_KEEP_US);
	assert_true(lease_expire(f->client, first_us - 1) == first_us);
	assert_ok(lease_stats(f->client, false, clock_mono_us() + 5 * SECOND, &json, &err));
	int64_t second_us = lease_expire(f->client, first_us);
	assert_true(second_us > between_us + LEASE_KEEP_US);
	assert_ok(lease_stats(f->client, false, clock_mono_us() + 5 * SECOND, &json, &err));
	assert_true(lease_expire(f->client, second_us) == INT64_MAX);
	assert_true(lease_expire(f->client, second_us + SECOND) == INT64_MAX);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void expect_both_back_while_a_third_is_in_hand(int fd)
{
	grant_as(fd, 1);
	grant_as(fd, 2);
	grant_as(fd, 3);
	expect_back_of(fd, 1, 1);
	expect_back_of(fd, 2, 1);
	answer_stats(fd);
	expect_back_of(fd, 3, 1);
	fake_poolmgr_expect_close(fd);
}

static void all_that_is_kept_can_be_given_back_but_not_what_is_in_hand(void **state)
{
	AUTO(buf_free) struct buf json = {0};
	struct fixture *f = *state;
	struct err err = {0};

	SERVE(f, 0, expect_both_back_while_a_third_is_in_hand);
	use_one(f, "one", 1, IPC_START_PREWARMED);
	use_one(f, "two", 1, IPC_START_PREWARMED);
	int64_t deadline_us = clock_mono_us() + 5 * SECOND;
	assert_int_equal(lease_acquire(f->client, "three", 1, "req-1", deadline_us, &f->lease, &f->denial), 0);
	lease_give_back(f->client);
	lease_give_back(f->client);
	assert_true(lease_expire(f->client, clock_mono_us()) == INT64_MAX);
	assert_true(lease_is_ours(f->client));
	assert_ok(lease_stats(f->client, false, deadline_us, &json, &err));
	lease_release(f->client, &f->lease, 0);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_two_and_vanish(int fd)
{
	grant_as(fd, 1);
	grant_as(fd, 2);
}

static void what_is_kept_is_gone_with_its_poolmgr(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 1, grant_two_and_vanish, grant_and_take_back);
	int fds = unit_open_fds();
	use_one(f, "hello", 3, IPC_START_PREWARMED);
	use_one(f, "other", 3, IPC_START_PREWARMED);
	assert_int_equal(unit_open_fds(), fds + 1 + 2 * FDS_OF_A_LEASE);
	await_hangup(f);
	lease_hear(f->client);
	assert_int_equal(lease_watch_fd(f->client), -1);
	assert_int_equal(unit_open_fds(), fds);
	assert_true(lease_expire(f->client, clock_mono_us()) == INT64_MAX);
	assert_true(lease_watch_due_us(f->client) == INT64_MAX); /* nothing is held */
	use_one(f, "hello", 3, IPC_START_PREWARMED);
	assert_int_equal(lease_watch_generation(f->client), 2);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_all_and_vanish(int fd)
{
	for (uint64_t id = 0; id <= LEASE_KEPT_MAX; id++)
		grant_as(fd, id);
}

static void nothing_is_kept_of_a_poolmgr_that_is_found_gone_just_then(void **state)
{
	struct fixture *f = *state;
	char name[8];

	SERVE(f, 1, grant_all_and_vanish, grant_and_take_back);
	int fds = unit_open_fds();
	for (int i = 0; i < LEASE_KEPT_MAX; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		use_one(f, name, 1, IPC_START_PREWARMED);
	}
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	await_hangup(f);
	lease_release(f->client, &f->lease, 0); /* another one has to be given back for it, which fails */
	assert_int_equal(lease_watch_fd(f->client), -1);
	assert_int_equal(unit_open_fds(), fds);
	use_one(f, "hello", 3, IPC_START_PREWARMED);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_again_and_again(int fd)
{
	for (int i = 0; i < 2; i++) {
		grant_one(fd);
		expect_back_of(fd, FAKE_LEASE_ID, 1);
	}
	fake_poolmgr_expect_close(fd);
}

static void who_may_not_keep_gives_back_at_once(void **state)
{
	struct fixture *f = *state;

	lease_client_free(&f->client);
	f->client = lease_client_new(f->dir, NULL, false);
	SERVE(f, 0, grant_again_and_again);
	use_one(f, "hello", 3, IPC_START_PREWARMED);
	assert_true(lease_expire(f->client, clock_mono_us()) == INT64_MAX);
	use_one(f, "hello", 3, IPC_START_PREWARMED);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void keep_the_shorter_name(int fd)
{
	grant_as(fd, 1);
	expect_back_of(fd, 1, 1);
	grant_as(fd, 2);
	expect_back_of(fd, 2, 1);
	grant_as(fd, 3);
	expect_back_of(fd, 3, 2);
	fake_poolmgr_expect_close(fd);
}

static void a_name_that_is_too_long_is_not_kept_for(void **state)
{
	struct fixture *f = *state;
	char name[LEASE_FUNCTION_MAX + 2];

	memset(name, 'x', sizeof(name));
	name[LEASE_FUNCTION_MAX + 1] = '\0';
	SERVE(f, 0, keep_the_shorter_name);
	use_one(f, name, 1, IPC_START_PREWARMED);
	use_one(f, name, 1, IPC_START_PREWARMED);
	name[LEASE_FUNCTION_MAX] = '\0';
	use_one(f, name, 1, IPC_START_PREWARMED);
	use_one(f, name, 1, IPC_START_WARM);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_for_one_invocation_twice(int fd)
{
	for (uint64_t id = 1; id <= 2; id++) {
		fake_poolmgr_single_use = 1;
		grant_as(fd, id);
		expect_back_of(fd, id, 1);
	}
	fake_poolmgr_expect_close(fd);
}

static void a_sandbox_for_one_invocation_goes_back_after_it(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, grant_for_one_invocation_twice);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(acquire(f, 5 * SECOND), 0);
		assert_int_equal(f->lease.start_kind, IPC_START_PREWARMED);
		assert_true(f->lease.single_use);
		lease_release(f->client, &f->lease, 0);
		assert_true(lease_expire(f->client, clock_mono_us()) == INT64_MAX);
	}
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lease_rig_set_up, lease_rig_tear_down)
		TEST(a_sandbox_is_kept_and_granted_again_without_a_word),
		TEST(another_function_or_version_gets_its_own_and_the_end_gives_all_back),
		TEST(what_is_kept_goes_back_as_soon_as_it_is_asked_for),
		TEST(what_is_in_hand_goes_back_when_it_is_done),
		TEST(when_there_is_no_room_the_one_used_longest_ago_goes_back),
		TEST(what_was_kept_long_enough_goes_back),
		TEST(all_that_is_kept_can_be_given_back_but_not_what_is_in_hand),
		TEST(what_is_kept_is_gone_with_its_poolmgr),
		TEST(nothing_is_kept_of_a_poolmgr_that_is_found_gone_just_then),
		TEST(who_may_not_keep_gives_back_at_once),
		TEST(a_name_that_is_too_long_is_not_kept_for),
		TEST(a_sandbox_for_one_invocation_goes_back_after_it),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
