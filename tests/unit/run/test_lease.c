#include "run/lease.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "tests/unit/run/lease_rig.h"

static void fds_of(struct lease *lease, const int *fds[FDS_OF_A_LEASE])
{
	const int *all[] = {&lease->control_fd,   &lease->log_fd,          &lease->error_log_fd,
			    &lease->meter.cpu_fd, &lease->meter.memory_fd, &lease->meter.oom_fd};

	memcpy(fds, all, sizeof(all));
}

static void go(void)
{
	assert_int_equal(eventfd_write(go_fd, 1), 0);
}

static void await_go(void)
{
	eventfd_t value;

	fake_poolmgr_check(eventfd_read(go_fd, &value) == 0, "go");
}

static void grant_twice_and_take_back(int fd)
{
	fake_poolmgr_usual_us = 4321;
	grant_one(fd);
	expect_back(fd, COUNT_KILL_TIMEOUT);
	grant_one(fd);
	expect_back(fd, COUNT_KILL_UNASKED);
	fake_poolmgr_expect_close(fd);
}

static void a_granted_sandbox_comes_with_all_its_descriptors_and_goes_back(void **state)
{
	struct fixture *f = *state;
	int fds = unit_open_fds();

	SERVE(f, 0, grant_twice_and_take_back);
	assert_int_equal(acquire(f, SECOND), 0);
	assert_int_equal(f->lease.id, FAKE_LEASE_ID);
	assert_string_equal(f->lease.sandbox_id, FAKE_SANDBOX);
	assert_int_equal(f->lease.start_kind, IPC_START_PREWARMED);
	assert_int_equal(f->lease.version, 4);
	assert_int_equal(f->lease.timeout_ms, 2000);
	assert_int_equal(f->lease.init_timeout_ms, 3000);
	assert_int_equal(f->lease.memory_limit_mb, 128);
	assert_int_equal(f->lease.response_bytes, 8 << 20);
	assert_int_equal(f->lease.log_bytes, 4096);
	assert_false(f->lease.single_use);
	assert_int_equal(f->lease.usual_us, 4321);
	assert_string_equal(f->lease.runtime, "docker");
	assert_string_equal(f->lease.init.data, "{\"handler\":\"main.handler\"}");
	const int *lease_fds[FDS_OF_A_LEASE];
	fds_of(&f->lease, lease_fds);
	for (int i = 0; i < FDS_OF_A_LEASE; i++)
		assert_int_equal(fcntl(*lease_fds[i], F_GETFD), FD_CLOEXEC);
	assert_int_equal(unit_open_fds(), fds + 1 + FDS_OF_A_LEASE);
	lease_release(f->client, &f->lease, COUNT_KILL_TIMEOUT); /* is not kept */
	assert_int_equal(f->lease.control_fd, -1);
	assert_true(lease_rest(f->client, clock_mono_us()) == INT64_MAX);

	assert_int_equal(acquire(f, SECOND), 0);
	assert_int_equal(f->lease.start_kind, IPC_START_PREWARMED);
	lease_release(f->client, &f->lease, COUNT_KILL_UNASKED);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
	assert_int_equal(unit_open_fds(), fds);
}

static void deny_throttled(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_deny(fd, &m, PROBLEM_THROTTLED, "queue_full", 2500);
	fake_poolmgr_expect_close(fd);
}

static void a_denial_carries_code_reason_and_retry_time(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, deny_throttled);
	assert_int_equal(acquire(f, SECOND), -1);
	assert_int_equal(f->denial.problem.code, PROBLEM_THROTTLED);
	assert_int_equal(f->denial.problem.retry_after_ms, 2500);
	assert_string_equal(json_string_value(json_object_get(f->denial.problem.members, "reason")), "queue_full");
	assert_string_equal(f->denial.problem.detail, "said by a test");
	assert_false(f->denial.known);
}

static void deny_nonsense(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_deny(fd, &m, PROBLEM_COUNT, "", 0);
	fake_poolmgr_expect_close(fd);
}

static void a_denial_of_no_code_is_no_answer(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, deny_nonsense);
	assert_int_equal(acquire(f, SECOND), -1);
	assert_int_equal(f->denial.problem.code, PROBLEM_RUNTIME_UNAVAILABLE);
}

static void die_with_a_question(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
}

static void a_poolmgr_that_dies_is_asked_again_when_it_is_back(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 1, die_with_a_question, die_with_a_question, grant_and_take_back);
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	lease_release(f->client, &f->lease, 0);
}

static void deny_once_and_close(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_deny(fd, &m, PROBLEM_NOT_FOUND, "", 0);
}

static void a_connection_that_died_while_idle_is_replaced_at_once(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, deny_once_and_close, grant_and_take_back);
	assert_int_equal(acquire(f, SECOND), -1);
	problem_clear(&f->denial.problem);
	usleep(20000);
	assert_int_equal(acquire(f, SECOND), 0);
	lease_release(f->client, &f->lease, 0);
}

static void nobody_there_is_a_refusal_at_the_deadline(void **state)
{
	struct fixture *f = *state;
	int64_t start_us = clock_mono_us();

	assert_int_equal(acquire(f, 200000), -1);
	assert_int_equal(f->denial.problem.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_in_range(clock_mono_us() - start_us, 50000, 400000);
}

static void say_nothing(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_expect_close(fd);
}

static void a_poolmgr_that_is_stuck_is_given_up_a_second_after_the_deadline(void **state)
{
	struct fixture *f = *state;
	int64_t start_us = clock_mono_us();

	SERVE(f, 0, say_nothing);
	assert_int_equal(acquire(f, 100000), -1);
	assert_int_equal(f->denial.problem.code, PROBLEM_OVERLOADED);
	assert_in_range(clock_mono_us() - start_us, 1000000, 1600000);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0); /* it saw the connection close */
}

static void send_garbage(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_check(write(fd, "\xff\x01garbage", 9) == 9, "write");
	fake_poolmgr_expect_close(fd);
}

static void answer_another_question(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	m.lease.seq += 100;
	fake_poolmgr_grant(fd, &m, "", idle_agent);
	fake_poolmgr_expect_close(fd);
}

static void answer_with_the_wrong_type(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	struct ipc_msg done = {.type = IPC_DONE, .done = {.seq = m.lease.seq}};
	fake_poolmgr_send(fd, &done);
	fake_poolmgr_expect_close(fd);
}

static void an_answer_that_makes_no_sense_costs_the_connection_and_no_descriptor(void **state)
{
	struct fixture *f = *state;
	int fds = unit_open_fds();

	SERVE(f, 0, send_garbage, answer_another_question, answer_with_the_wrong_type, grant_and_take_back);
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	lease_release(f->client, &f->lease, 0);
	lease_client_free(&f->client);
	assert_int_equal(unit_open_fds(), fds);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_and_vanish(int fd)
{
	grant_one(fd);
}

static void hear_of_the_held_sandbox(int fd)
{
	fake_poolmgr_check(strcmp(fake_poolmgr_held, FAKE_SANDBOX) == 0, "the held sandbox");
	fake_poolmgr_expect_close(fd); /* the release of a lease it never granted is the end of the connection */
}

static void a_new_poolmgr_is_told_which_sandbox_is_held(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 1, grant_and_vanish, hear_of_the_held_sandbox);
	assert_int_equal(acquire(f, SECOND), 0);
	struct pollfd p = {.fd = lease_watch_fd(f->client), .events = POLLIN};
	assert_int_equal(poll(&p, 1, 5000), 1);
	lease_watch(f->client);
	for (int i = 0; i < 50 && lease_watch_fd(f->client) < 0; i++) {
		assert_true(lease_watch_due_us(f->client) != INT64_MAX);
		usleep(20000);
		lease_watch(f->client);
	}
	assert_true(lease_watch_fd(f->client) >= 0);
	lease_release(f->client, &f->lease, 0);
	assert_int_equal(lease_watch_fd(f->client), -1);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void expect_a_sealed_archive(int fd)
{
	struct ipc_msg m;
	char text[16] = {0};

	fake_poolmgr_expect(fd, IPC_CHECK, &m);
	fake_poolmgr_check(m.check.spec.len == 2 && memcmp(m.check.spec.data, "{}", 2) == 0, "spec");
	int seals = fcntl(m.fds[0], F_GET_SEALS);
	fake_poolmgr_check(seals == (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), "seals");
	fake_poolmgr_check(read(m.fds[0], text, sizeof(text)) == 7 && memcmp(text, "archive", 7) == 0, "archive");
	fake_poolmgr_grant(fd, &m, "{}", idle_agent);
	expect_back(fd, 0);
}

static void a_check_carries_the_archive_where_nobody_can_change_it(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, expect_a_sealed_archive);
	int rc = lease_check(f->client, "{}", "archive", 7, "req-1", clock_mono_us() + SECOND, &f->lease, &f->denial);
	assert_int_equal(rc, 0);
	lease_release(f->client, &f->lease, 0);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void do_as_told(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_INVALIDATE, &m);
	fake_poolmgr_check(m.invalidate.version == 5, "version");
	struct ipc_msg done = {.type = IPC_DONE, .done = {.seq = m.invalidate.seq}};
	fake_poolmgr_send(fd, &done);
	fake_poolmgr_expect(fd, IPC_STATS, &m);
	struct ipc_msg stats = {.type = IPC_STATS_REPLY, .stats_reply = {.seq = m.stats.seq, .json = STR("{\"a\":1}")}};
	fake_poolmgr_send(fd, &stats);
}

static void die_before_done(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_INVALIDATE, &m);
}

static void an_invalidation_survives_a_restart_and_numbers_can_be_asked(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf json = {0};
	struct uuid id = uuid_new();
	struct err err = {0};

	SERVE(f, 1, die_before_done, do_as_told);
	assert_ok(lease_invalidate(f->client, &id, 5, clock_mono_us() + 5 * SECOND, &err));
	assert_ok(lease_stats(f->client, false, clock_mono_us() + SECOND, &json, &err));
	assert_string_equal(json.data, "{\"a\":1}");
}

#define HOLD_US 20000
#define REST_US 400000

static void grant_one_for_three_runs(int fd)
{
	struct ipc_msg m;

	grant_one(fd);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m); /* nothing else was asked before */
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
		assert_int_equal(f->lease.timeout_ms, 2000);
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
	expect_back_of(fd, 3, 1); /* the one used longest ago first */
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
	fake_poolmgr_recall(fd, 4711); /* was given back already, as far as anybody can know */
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
	assert_true(lease_is_ours(f->client)); /* as far as it has heard */
	lease_watch(f->client);
	assert_false(lease_is_ours(f->client));
	assert_ok(lease_stats(f->client, false, clock_mono_us() + 5 * SECOND, &json, &err));
	assert_true(f->lease.control_fd >= 0);
	lease_release(f->client, &f->lease, 0);
	/* The next one was not asked for. */
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
	use_one(f, "f0", 1, IPC_START_WARM); /* now f1 is that one */
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
	assert_true(lease_rest(f->client, clock_mono_us()) == INT64_MAX);
	int64_t before_us = clock_mono_us();
	use_one(f, "one", 1, IPC_START_PREWARMED);
	int64_t between_us = clock_mono_us();
	usleep(1000);
	use_one(f, "two", 1, IPC_START_PREWARMED);
	int64_t first_us = lease_rest(f->client, before_us);
	assert_true(first_us >= before_us + LEASE_KEEP_US && first_us <= between_us + LEASE_KEEP_US);
	assert_true(lease_rest(f->client, first_us - 1) == first_us);
	assert_ok(lease_stats(f->client, false, clock_mono_us() + 5 * SECOND, &json, &err));
	int64_t second_us = lease_rest(f->client, first_us);
	assert_true(second_us > between_us + LEASE_KEEP_US);
	assert_ok(lease_stats(f->client, false, clock_mono_us() + 5 * SECOND, &json, &err));
	assert_true(lease_rest(f->client, second_us) == INT64_MAX);
	assert_true(lease_rest(f->client, second_us + SECOND) == INT64_MAX);
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
	assert_true(lease_rest(f->client, clock_mono_us()) == INT64_MAX);
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
	assert_true(lease_rest(f->client, clock_mono_us()) == INT64_MAX);
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
	lease_release(f->client, &f->lease, 0); /* one has to go back for it, which fails */
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
	assert_true(lease_rest(f->client, clock_mono_us()) == INT64_MAX);
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
		assert_true(lease_rest(f->client, clock_mono_us()) == INT64_MAX);
	}
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void answer_autopsies(int fd)
{
	struct ipc_msg m;

	grant_as(fd, 5);
	for (int i = 0; i < 3; i++) {
		fake_poolmgr_expect(fd, IPC_AUTOPSY, &m);
		fake_poolmgr_check(m.autopsy.lease_id == 5, "lease id");
		fake_poolmgr_recall(fd, 5); /* may come at any time */
		fake_poolmgr_find(fd, &m, i != 2, i == 1, i == 0 ? 139 : 0);
	}
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_expect_close(fd);
}

static void poolmgr_is_asked_how_a_sandbox_ended(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, answer_autopsies);
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	struct finding signal = lease_autopsy(f->client, &f->lease);
	assert_true(signal.known && !signal.out_of_memory);
	assert_int_equal(signal.exit_code, 139);
	struct finding memory = lease_autopsy(f->client, &f->lease);
	assert_true(memory.known && memory.out_of_memory);
	struct finding nothing = lease_autopsy(f->client, &f->lease);
	assert_false(nothing.known || nothing.out_of_memory);
	lease_release(f->client, &f->lease, COUNT_KILL_EXITED);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_and_never_answer(int fd)
{
	struct ipc_msg m;

	grant_as(fd, 1);
	fake_poolmgr_expect(fd, IPC_AUTOPSY, &m);
	fake_poolmgr_expect_close(fd);
}

static void a_poolmgr_that_is_stuck_makes_nobody_wait_for_ever(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, grant_and_never_answer);
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	int64_t start_us = clock_mono_us();
	assert_false(lease_autopsy(f->client, &f->lease).known);
	assert_in_range(clock_mono_us() - start_us, 6400000, 8000000); /* longer than poolmgr waits for Docker */
	lease_release(f->client, &f->lease, COUNT_KILL_EXITED);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void vanish_when_asked(int fd)
{
	struct ipc_msg m;

	grant_as(fd, 1);
	fake_poolmgr_expect(fd, IPC_AUTOPSY, &m);
}

/* Nothing of what the one before granted is known to it. */
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
	assert_false(lease_autopsy(f->client, &f->lease).known); /* it goes */
	assert_int_equal(lease_watch_fd(f->client), -1);
	assert_false(lease_autopsy(f->client, &f->lease).known); /* it is gone */
	assert_true(clock_mono_us() - start_us < 500000);
	for (int i = 0; i < 100 && lease_watch_fd(f->client) < 0; i++) {
		usleep(20000);
		lease_watch(f->client);
	}
	assert_int_equal(lease_watch_generation(f->client), 2);
	assert_false(lease_autopsy(f->client, &f->lease).known); /* another one is there */
	lease_release(f->client, &f->lease, COUNT_KILL_EXITED);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void answer_an_autopsy_with_done(int fd)
{
	struct ipc_msg m;

	grant_as(fd, 1);
	fake_poolmgr_expect(fd, IPC_AUTOPSY, &m);
	struct ipc_msg done = {.type = IPC_DONE, .done.seq = m.autopsy.seq};
	fake_poolmgr_send(fd, &done);
	fake_poolmgr_expect_close(fd);
}

static void only_a_finding_says_how_a_sandbox_ended(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, answer_an_autopsy_with_done);
	assert_int_equal(acquire(f, 5 * SECOND), 0);
	assert_false(lease_autopsy(f->client, &f->lease).known);
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
	expect_back_of(fd, 4, 1); /* kept till its time was over */
	grant_as(fd, 5);
	fake_poolmgr_recall(fd, 5);
	expect_back_of(fd, 5, 1);
	grant_as(fd, 6); /* and vanishes */
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
	lease_release(f->client, &f->lease, 0); /* for one invocation only */
	assert_int_equal(unit_open_fds(), fds);

	int64_t deadline_us = clock_mono_us() + 5 * SECOND;
	assert_int_equal(lease_check(f->client, "{}", "archive", 7, "req-1", deadline_us, &f->lease, &f->denial), 0);
	assert_int_equal(unit_open_fds(), fds + FDS_OF_A_LEASE);
	lease_release(f->client, &f->lease, 0);
	assert_int_equal(unit_open_fds(), fds);

	use_one(f, "hello", 3, IPC_START_PREWARMED);
	assert_int_equal(unit_open_fds(), fds + FDS_OF_A_LEASE);
	lease_rest(f->client, clock_mono_us() + LEASE_KEEP_US);
	assert_int_equal(unit_open_fds(), fds);

	assert_int_equal(acquire(f, 5 * SECOND), 0);
	await_word(f);
	lease_hear(f->client);
	lease_release(f->client, &f->lease, 0); /* was asked for */
	assert_int_equal(unit_open_fds(), fds);

	assert_int_equal(acquire(f, 5 * SECOND), 0);
	await_hangup(f);
	for (int i = 0; i < 100 && lease_watch_generation(f->client) < 2; i++) {
		lease_watch(f->client);
		usleep(20000);
	}
	assert_int_equal(unit_open_fds(), fds + FDS_OF_A_LEASE);
	lease_release(f->client, &f->lease, 0); /* to a poolmgr that never granted it: closes the connection, too */
	assert_int_equal(unit_open_fds(), fds - 1);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lease_rig_set_up, lease_rig_tear_down)
		TEST(a_granted_sandbox_comes_with_all_its_descriptors_and_goes_back),
		TEST(a_denial_carries_code_reason_and_retry_time),
		TEST(a_denial_of_no_code_is_no_answer),
		TEST(a_poolmgr_that_dies_is_asked_again_when_it_is_back),
		TEST(a_connection_that_died_while_idle_is_replaced_at_once),
		TEST(nobody_there_is_a_refusal_at_the_deadline),
		TEST(a_poolmgr_that_is_stuck_is_given_up_a_second_after_the_deadline),
		TEST(an_answer_that_makes_no_sense_costs_the_connection_and_no_descriptor),
		TEST(a_new_poolmgr_is_told_which_sandbox_is_held),
		TEST(a_check_carries_the_archive_where_nobody_can_change_it),
		TEST(an_invalidation_survives_a_restart_and_numbers_can_be_asked),
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
		TEST(poolmgr_is_asked_how_a_sandbox_ended),
		TEST(a_poolmgr_that_is_stuck_makes_nobody_wait_for_ever),
		TEST(another_poolmgr_is_not_asked_how_it_ended),
		TEST(only_a_finding_says_how_a_sandbox_ended),
		TEST(no_descriptor_outlasts_its_lease),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
