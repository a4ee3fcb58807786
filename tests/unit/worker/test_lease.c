#include "worker/lease.h"

#include <fcntl.h>
#include <poll.h>

#include "base/clock.h"
#include "tests/support/fake_agent.h"
#include "tests/support/fake_poolmgr.h"
#include "tests/unit/unit.h"

#define SECOND 1000000

struct fixture {
	char *dir;
	struct lease_client *client;
	struct fake_poolmgr poolmgr;
	struct lease lease;
	struct denial denial;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = unit_make_dir();
	f->client = lease_client_new(f->dir);
	f->lease = LEASE_NONE;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	problem_clear(&f->denial.problem);
	lease_client_free(&f->client);
	fake_poolmgr_kill(&f->poolmgr);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

static void serve(struct fixture *f, void (*const *scripts)(int fd), int count, int restart)
{
	fake_poolmgr_start(&f->poolmgr, f->dir, scripts, count, restart);
}
#define SERVE(f, restart, ...)                                                                                                 \
	do {                                                                                                                   \
		static void (*const scripts_[])(int) = {__VA_ARGS__};                                                          \
		serve(f, scripts_, ARRAY_SIZE(scripts_), restart);                                                             \
	} while (0)

static int acquire(struct fixture *f, int64_t patience_us)
{
	return lease_acquire(f->client, "hello", 3, "req-1", clock_mono_us() + patience_us, &f->lease, &f->denial);
}

static void agent(int control, int log)
{
	(void)log;
	fake_agent_wait_for_close(control);
}

static void grant(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_check(m.lease.function.len == 5 && memcmp(m.lease.function.data, "hello", 5) == 0, "function");
	fake_poolmgr_check(m.lease.version == 3, "version");
	fake_poolmgr_check(fake_poolmgr_held[0] == '\0', "nothing held");
	fake_poolmgr_check(m.lease.request_id.len == 5, "request id");
	fake_poolmgr_grant(fd, &m, "{\"handler\":\"main.handler\"}", agent);
}

static void expect_release(int fd, int destroy, const char *reason)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.lease_id == FAKE_LEASE_ID, "lease id");
	fake_poolmgr_check(m.release.destroy == destroy, "destroy");
	fake_poolmgr_check(m.release.reason.len == strlen(reason) && memcmp(m.release.reason.data, reason, strlen(reason)) == 0,
			   "reason");
}

static void grant_twice_and_take_back(int fd)
{
	grant(fd);
	expect_release(fd, 0, "");
	grant(fd);
	expect_release(fd, 1, "timeout");
	fake_poolmgr_expect_close(fd);
}

static void a_granted_sandbox_comes_with_both_sockets_and_goes_back(void **state)
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
	assert_string_equal(f->lease.runtime, "docker");
	assert_string_equal(f->lease.init.data, "{\"handler\":\"main.handler\"}");
	assert_true(fcntl(f->lease.control_fd, F_GETFD) == FD_CLOEXEC && fcntl(f->lease.log_fd, F_GETFD) == FD_CLOEXEC);
	lease_release(f->client, &f->lease, NULL);
	assert_int_equal(f->lease.control_fd, -1);

	assert_int_equal(acquire(f, SECOND), 0);
	lease_release(f->client, &f->lease, "timeout");
	lease_client_free(&f->client);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
	assert_int_equal(unit_open_fds(), fds);
}

static void grant_and_take_back(int fd)
{
	grant(fd);
	expect_release(fd, 0, "");
	fake_poolmgr_expect_close(fd);
}

static void deny_throttled(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_deny(fd, &m, "throttled", "queue_full", 2500);
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
	fake_poolmgr_deny(fd, &m, "no_such_code", "", 0);
	fake_poolmgr_expect_close(fd);
}

static void an_unknown_code_means_that_the_runtime_is_unavailable(void **state)
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
	lease_release(f->client, &f->lease, NULL);
}

static void deny_nonsense_once_and_close(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	fake_poolmgr_deny(fd, &m, "no_such_code", "", 0);
}

static void a_connection_that_died_while_idle_is_replaced_at_once(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, deny_nonsense_once_and_close, grant_and_take_back);
	assert_int_equal(acquire(f, SECOND), -1);
	problem_clear(&f->denial.problem);
	usleep(20000);
	assert_int_equal(acquire(f, SECOND), 0);
	lease_release(f->client, &f->lease, NULL);
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
	fake_poolmgr_grant(fd, &m, "", agent);
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
	lease_release(f->client, &f->lease, NULL);
	lease_client_free(&f->client);
	assert_int_equal(unit_open_fds(), fds);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void grant_and_vanish(int fd)
{
	grant(fd);
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
	lease_release(f->client, &f->lease, NULL);
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
	fake_poolmgr_grant(fd, &m, "{}", agent);
	expect_release(fd, 0, "");
}

static void a_check_carries_the_archive_where_nobody_can_change_it(void **state)
{
	struct fixture *f = *state;

	SERVE(f, 0, expect_a_sealed_archive);
	int rc = lease_check(f->client, "{}", "archive", 7, "req-1", clock_mono_us() + SECOND, &f->lease, &f->denial);
	assert_int_equal(rc, 0);
	lease_release(f->client, &f->lease, NULL);
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
	assert_ok(lease_stats(f->client, clock_mono_us() + SECOND, &json, &err));
	assert_string_equal(json.data, "{\"a\":1}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_granted_sandbox_comes_with_both_sockets_and_goes_back),
		TEST(a_denial_carries_code_reason_and_retry_time),
		TEST(an_unknown_code_means_that_the_runtime_is_unavailable),
		TEST(a_poolmgr_that_dies_is_asked_again_when_it_is_back),
		TEST(a_connection_that_died_while_idle_is_replaced_at_once),
		TEST(nobody_there_is_a_refusal_at_the_deadline),
		TEST(a_poolmgr_that_is_stuck_is_given_up_a_second_after_the_deadline),
		TEST(an_answer_that_makes_no_sense_costs_the_connection_and_no_descriptor),
		TEST(a_new_poolmgr_is_told_which_sandbox_is_held),
		TEST(a_check_carries_the_archive_where_nobody_can_change_it),
		TEST(an_invalidation_survives_a_restart_and_numbers_can_be_asked),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
