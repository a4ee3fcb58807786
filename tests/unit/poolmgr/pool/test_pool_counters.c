/* The events that the pool counts, and their rows in counter.def. */
#include "tests/unit/poolmgr/pool_rig.h"

#include "poolmgr/node/counters.h"
#include "poolmgr/pool/pool.h"

static uint64_t before[COUNTER_COUNT];

static int since(enum counter c)
{
	return (int)(counters[c] - before[c]);
}

static void requests_are_counted_by_what_they_got(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("counted");

	(void)state;
	struct grant g = check_function(&w, &f);
	assert_int_equal(since(COUNT_GRANT_COLD), 1);
	assert_int_equal(since(COUNT_START), 1);
	worker_release_after(&w, g.lease_id, 5, 1000);
	WAIT_FOR(sandbox_counts[SANDBOX_IDLE] == 1);
	assert_int_equal(since(COUNT_GRANT_KEPT), 4);
	assert_int_equal(since(COUNT_GRANT_WARM) + since(COUNT_GRANT_PREWARMED), 0);

	rig.conf->pool_min_spares = 1;
	WAIT_FOR(sandbox_counts[SANDBOX_SPARE] == 2);
	AUTO(function_free) struct function other = function_new("other");
	check_function(&w, &other);
	assert_int_equal(since(COUNT_GRANT_PREWARMED), 1);

	assert_int_equal(worker_denied(&w, worker_lease(&w, "nowhere", 0)).code, PROBLEM_STORE_UNAVAILABLE);
	assert_int_equal(since(COUNT_DENY_STORE_UNAVAILABLE), 1);
	assert_int_equal(since(COUNT_DENY_OTHER), 0);
}

static void sandboxes_are_counted_by_what_ended_them(void **state)
{
	static const enum counter reasons[] = {COUNT_KILL_TIMEOUT, COUNT_KILL_MEMORY, COUNT_KILL_NOT_DEPLOYED};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		AUTO(worker_close) struct worker w = worker_connect();
		AUTO(function_free) struct function f = function_new("ends");
		int had = since(reasons[i]);
		struct ipc_msg m = {.type = IPC_RELEASE, .release.reason = (uint8_t)reasons[i]};
		m.release.lease_id = check_function(&w, &f).lease_id;
		worker_send(&w, &m);
		WAIT_FOR(sandbox_total() == 0);
		assert_int_equal(since(reasons[i]), had + 1);
	}
	AUTO(function_free) struct function f = function_new("alone");
	AUTO(worker_close) struct worker gone = worker_connect();
	check_function(&gone, &f);
	worker_close(&gone);
	WAIT_FOR(sandbox_total() == 0);
	assert_int_equal(since(COUNT_KILL_WORKER_GONE), 1);
	assert_int_equal(since(COUNT_START_FAILED), 0);
}

static void starts_that_fail_are_counted(void **state)
{
	(void)state;
	rig.engine->manner[FAKE_CREATE] = (struct fake_manner){.status = 500, .body = "{}"};
	rig.conf->pool_min_spares = 1;
	WAIT_FOR(since(COUNT_START_FAILED) >= 2);
	assert_true(since(COUNT_START) >= since(COUNT_START_FAILED));
}

static int each(void **state)
{
	int rc = pool_rig_each(state);

	memcpy(before, counters, sizeof(before));
	return rc;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, pool_rig_nothing_leaks)
	const struct CMUnitTest tests[] = {
		TEST(requests_are_counted_by_what_they_got),
		TEST(sandboxes_are_counted_by_what_ended_them),
		TEST(starts_that_fail_are_counted),
	};

	return cmocka_run_group_tests(tests, pool_rig_set_up, pool_rig_tear_down);
}
