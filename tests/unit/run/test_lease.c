/* Requests to poolmgr, for a sandbox and for everything else. */
#include "run/lease.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/run/lease_rig.h"

static void fds_of(struct lease *lease, const int *fds[FDS_OF_A_LEASE])
{
	const int *all[] = {&lease->control_fd,   &lease->log_fd,          &lease->error_log_fd,
			    &lease->meter.cpu_fd, &lease->meter.memory_fd, &lease->meter.oom_fd};

	memcpy(fds, all, sizeof(all));
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
	assert_int_equal(f->lease.timeout_ms, FAKE_TIMEOUT_MS);
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
	assert_true(lease_expire(f->client, clock_mono_us()) == INT64_MAX);

	assert_int_equal(acquire(f, SECOND), 0);
	assert_int_equal(f->lease.start_kind, IPC_START_PREWARMED);
	lease_release(f->client, &f->lease, COUNT_KILL_UNASKED);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
	assert_int_equal(unit_open_fds(), fds);
}

/* Grants although its question is being withdrawn: the two messages cross. */
static void cross(int fd, const char *init, enum counter reason)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_lease_id = FAKE_LEASE_ID;
	fake_poolmgr_grant(fd, &m, init, idle_agent);
	fake_poolmgr_expect(fd, IPC_WITHDRAW, &m);
	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.reason == reason, "reason");
	fake_poolmgr_check(m.release.runs == 0, "nothing ran in it");
}

static void grant_to_those_who_left(int fd)
{
	cross(fd, "{}", COUNT_KILL_UNUSED);
	cross(fd, "", 0);
	fake_poolmgr_expect_close(fd);
}

static void a_sandbox_granted_to_a_client_that_has_left_goes_back_unused(void **state)
{
	struct fixture *f = *state;
	int ends[2], fds = unit_open_fds();

	SERVE(f, 0, grant_to_those_who_left);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	close(ends[1]);
	for (int i = 0; i < 2; i++) { /* one that has yet to load the code, and one that has loaded it */
		lease_set_asker(f->client, ends[0]);
		assert_int_equal(acquire(f, 5 * SECOND), -1);
		assert_true(f->denial.withdrawn);
		assert_int_equal(f->lease.control_fd, -1);
		problem_clear(&f->denial.problem);
	}
	close(ends[0]);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
	assert_int_equal(unit_open_fds(), fds);
}

static void deny_throttled(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_deny(fd, &m, PROBLEM_THROTTLED, THROTTLED_QUEUE_FULL, 2500);
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

static const struct {
	enum problem_code code;
	const char *said, *told; /* the latter in the answer */
} indiscreet[] = {
	{PROBLEM_RUNTIME_UNAVAILABLE, "connect to '/run/docker.sock': refused", "connect to '…': refused"},
	{PROBLEM_STORE_UNAVAILABLE, "role berth at db.internal", ""},
};

static void deny_indiscreetly(int fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(indiscreet); i++) {
		struct ipc_msg m;
		fake_poolmgr_expect(fd, IPC_LEASE, &m);
		struct ipc_msg deny = {
			.type = IPC_DENY,
			.deny = {.seq = m.lease.seq, .code = (uint8_t)indiscreet[i].code, .detail = STR(indiscreet[i].said)}};
		fake_poolmgr_send(fd, &deny);
	}
	fake_poolmgr_expect_close(fd);
}

/* Clients are not told where things are on this machine, nor who connects to the database. */
static void a_denial_tells_neither_paths_nor_hosts(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, deny_indiscreetly);
	for (size_t i = 0; i < ARRAY_SIZE(indiscreet); i++) {
		assert_int_equal(acquire(f, SECOND), -1);
		assert_int_equal(f->denial.problem.code, indiscreet[i].code);
		assert_string_equal(f->denial.problem.detail, indiscreet[i].told);
		problem_clear(&f->denial.problem);
	}
}

static void deny_nonsense(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_deny(fd, &m, PROBLEM_COUNT, THROTTLED_NONE, 0);
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
	fake_poolmgr_deny(fd, &m, PROBLEM_NOT_FOUND, THROTTLED_NONE, 0);
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
	assert_null(strchr(f->denial.problem.detail, '/')); /* the socket's path is only for the log */
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

static void expect_no_archive(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_CHECK_STORED, &m);
	fake_poolmgr_check(m.check_stored.spec.len == 2 && memcmp(m.check_stored.spec.data, "{}", 2) == 0, "spec");
	fake_poolmgr_grant(fd, &m, "{}", idle_agent);
	expect_back(fd, 0);
}

static void a_check_of_a_stored_package_carries_none(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, expect_no_archive);
	int rc = lease_check(f->client, "{}", NULL, 0, "req-1", clock_mono_us() + SECOND, &f->lease, &f->denial);
	assert_int_equal(rc, 0);
	assert_true(f->lease.is_trial);
	lease_release(f->client, &f->lease, 0);
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lease_rig_set_up, lease_rig_tear_down)
		TEST(a_granted_sandbox_comes_with_all_its_descriptors_and_goes_back),
		TEST(a_denial_carries_code_reason_and_retry_time),
		TEST(a_denial_tells_neither_paths_nor_hosts),
		TEST(a_sandbox_granted_to_a_client_that_has_left_goes_back_unused),
		TEST(a_denial_of_no_code_is_no_answer),
		TEST(a_poolmgr_that_dies_is_asked_again_when_it_is_back),
		TEST(a_connection_that_died_while_idle_is_replaced_at_once),
		TEST(nobody_there_is_a_refusal_at_the_deadline),
		TEST(a_poolmgr_that_is_stuck_is_given_up_a_second_after_the_deadline),
		TEST(an_answer_that_makes_no_sense_costs_the_connection_and_no_descriptor),
		TEST(a_new_poolmgr_is_told_which_sandbox_is_held),
		TEST(a_check_of_a_stored_package_carries_none),
		TEST(a_check_carries_the_archive_where_nobody_can_change_it),
		TEST(an_invalidation_survives_a_restart_and_numbers_can_be_asked),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
