/* Sandboxes that a worker keeps for the next request. */
#include <signal.h>
#include <stdbool.h>

#include "base/clock.h"
#include "run/lease.h"
#include "tests/unit/worker/worker_rig.h"

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
		warm = strstr(f->answer.data, "Berth-Start: warm\r\n") !=
		       NULL; /* no grant of this poolmgr is warm, so the sandbox was kept */
	}
	assert_true(shared->leases < requests);
}

static void expect_it_back_in_a_moment(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_LEASE, &m);
	int64_t start_us = clock_mono_us(); /* a time before it can be kept */
	fake_poolmgr_grant(fd, &m, "", echo);
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

/* A slow machine may take longer sometimes, but never always. */
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
		while (shared->go) /* until it was given back */
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

/* Repeats until the fast function's sandbox is still kept when the slow one is requested, which is answered when the sandbox
 * was given back. */
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
		usleep(2 * LEASE_KEEP_US); /* the sandbox of the slow one must not be kept until the next round */
	}
	assert_true(shared->seen);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, worker_rig_set_up, worker_rig_tear_down)
		TEST(a_kept_sandbox_serves_the_next_request_without_poolmgr),
		TEST(a_kept_sandbox_goes_back_when_no_request_comes),
		TEST(a_kept_sandbox_goes_back_when_the_worker_ends),
		TEST(a_recall_between_requests_is_answered_at_once),
		TEST(what_is_kept_goes_back_when_a_request_takes_long),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
