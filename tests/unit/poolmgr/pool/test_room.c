/* How many sandboxes fit, and who has to go when they do not; how many spares there are. */
#include "tests/unit/poolmgr/stored.h"

#include <utlist.h>

#include "poolmgr/pool/pool.h"
#include "poolmgr/pool/room.h"

static void set_budget(int64_t memory_mb)
{
	rig.conf->pool_memory_budget_mb = memory_mb;
	pool_set_conf(rig.conf);
}

static int each(void **state)
{
	int rc = stored_each(state);

	set_budget(100000);
	return rc;
}

static void check_within_budget(int64_t now_us)
{
	pool_tick(now_us);
	assert_true(sandbox_total_memory_mb() <= room_budget_mb());
}

/* Workers that each wait for a function, and give its sandbox back at once. */
#define WORKERS 6
static struct {
	struct worker w;
	struct function f;
	uint64_t seq; /* 0: it was served */
} all[WORKERS];

static bool all_are_served(void)
{
	bool served = true;

	for (size_t i = 0; i < WORKERS; i++) {
		if (all[i].seq != 0 && worker_has_message(&all[i].w)) {
			struct grant g = worker_granted(&all[i].w, all[i].seq);
			worker_close_fds(&g);
			worker_release(&all[i].w, g.lease_id, false);
			all[i].seq = 0;
		}
		served = served && all[i].seq == 0;
	}
	return served;
}

static void the_budget_is_never_exceeded_and_all_are_served_in_the_end(void **state)
{
	(void)state;
	set_budget(1000);
	rig.tick = check_within_budget;
	for (int i = 0; i < WORKERS; i++) {
		all[i].w = worker_connect();
		all[i].f = function_new("within the budget");
		all[i].f.memory_limit_mb = 300 + i % 2 * 100;
		deploy(&all[i].f);
	}
	for (int i = 0; i < WORKERS; i++)
		all[i].seq = worker_lease(&all[i].w, all[i].f.name, 0);
	WAIT_FOR(all_are_served());
	for (int i = 0; i < WORKERS; i++) {
		worker_close(&all[i].w);
		function_free(&all[i].f);
	}
}

static void short_memory_takes_what_has_been_idle_longest(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function fa = deployed("memory a");
	AUTO(function_free) struct function fb = deployed("memory b");
	AUTO(function_free) struct function fc = deployed("memory c");

	(void)state;
	set_budget(300);
	struct grant a = warm_up(&w, fa.name), b = warm_up(&w, fb.name);
	assert_string_equal(warm_up(&w, fa.name).sandbox_id, a.sandbox_id); /* so b is the longest idle one */
	worker_take(&w, fc.name);
	assert_true(is_gone(&b));
	assert_int_equal(state_of(&a), SANDBOX_IDLE);
	assert_int_equal(sandbox_total(), 2);
}

static void as_many_go_as_a_large_one_needs(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function large = function_new("large");
	struct function f[4];

	(void)state;
	large.memory_limit_mb = 350;
	deploy(&large);
	set_budget(4 * 128);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		f[i] = deployed("small");
		warm_up(&w, f[i].name);
	}
	worker_take(&w, large.name);
	assert_int_equal(sandbox_counts[SANDBOX_IDLE], 1);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		function_free(&f[i]);
}

static void short_memory_takes_spares_nobody_waits_for_and_none_are_started(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("instead of spares");

	(void)state;
	rig.conf->pool_min_spares = 2;
	set_budget(4 * 128);
	WAIT_FOR(sandbox_counts[SANDBOX_SPARE] == 4);
	f.memory_limit_mb = 200;
	deploy(&f);
	struct grant g = worker_take(&w, f.name);
	rig_barrier();
	assert_int_equal(sandbox_counts[SANDBOX_SPARE], 2);
	assert_int_equal(sandbox_total(), 3); /* there is no room for its own spares either */
	worker_release(&w, g.lease_id, true);
	WAIT_FOR(sandbox_counts[SANDBOX_SPARE] >= 3);
}

static void the_spares_that_go_are_of_the_shape_asked_for_longest_ago(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("shapes");
	struct shape *s;

	(void)state;
	rig.conf->pool_min_spares = 1;
	for (f.memory_limit_mb = 201; f.memory_limit_mb <= 203; f.memory_limit_mb++) {
		deploy_code(&f, "another shape");
		worker_done(&w, worker_invalidate(&w, f.id, (uint32_t)f.version));
		worker_release(&w, worker_take(&w, f.name).lease_id, true);
	}
	WAIT_FOR(sandbox_total() == sandbox_counts[SANDBOX_SPARE] && shape_of(203)->spare_count == 1);
	DL_FOREACH (shapes, s) /* those of other tests, too */
		if (s->key.memory_mb != 202)
			s->used_us = clock_mono_us();
	int spares = sandbox_total();
	rig.conf->pool_max_sandboxes = spares;
	deploy_code(&f, "and another");
	worker_done(&w, worker_invalidate(&w, f.id, (uint32_t)f.version));
	worker_take(&w, f.name);
	assert_int_equal(shape_of(202)->spare_count, 0);
	assert_int_equal(sandbox_counts[SANDBOX_SPARE], spares - 1);
}

static void a_request_that_can_never_fit_is_told_at_once(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("never fits");

	(void)state;
	f.memory_limit_mb = 300;
	deploy(&f);
	set_budget(299);
	struct denial d = worker_denied(&w, worker_lease(&w, f.name, 0));
	assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_non_null(strstr(d.detail, "memory_limit_mb of 300"));
	assert_non_null(strstr(d.detail, "299 MB (pool.memory_budget_mb)"));
	assert_int_equal(d.retry_after_ms, 30000);
	set_budget(300);
	assert_int_equal(worker_take(&w, f.name).kind, IPC_START_COLD);
}

static void a_smaller_budget_takes_what_is_idle(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function fa = deployed("smaller a");
	AUTO(function_free) struct function fb = deployed("smaller b");

	(void)state;
	struct grant a = warm_up(&w, fa.name), b = worker_take(&w, fb.name);
	set_budget(128);
	WAIT_FOR(is_gone(&a));
	assert_int_equal(state_of(&b), SANDBOX_LEASED);
}

static void what_no_longer_fits_once_it_is_ready_never_becomes_a_spare(void **state)
{
	(void)state;
	rig.conf->pool_min_spares = 1;
	WAIT_FOR(sandbox_counts[SANDBOX_BOOTING] == 2);
	rig.tick = NULL;
	set_budget(1);
	WAIT_FOR(sandbox_counts[SANDBOX_BOOTING] == 0);
	assert_int_equal(sandbox_counts[SANDBOX_SPARE], 0);
	rig.tick = pool_tick;
}

/* ---- Spares ---- */

static void spares_follow_what_was_needed_at_a_time_up_to_their_most_and_back(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct function f[5];

	(void)state;
	rig.conf->pool_min_spares = 1;
	rig.conf->pool_max_spares = 4;
	wait_for_spares(1);
	default_shape()->start_us = 10000000; /* so all of it is one burst */
	for (size_t i = 0; i < ARRAY_SIZE(f); i++) {
		f[i] = deployed("burst");
		worker_take(&w, f[i].name);
	}
	wait_for_spares(4);
	default_shape()->forecast.most_us -= rig.conf->pool_demand_half_life_ms * 1000; /* half as many after that time */
	wait_for_spares(3);
	default_shape()->forecast.most_us -= 5 * rig.conf->pool_demand_half_life_ms * 1000;
	wait_for_spares(1);
	for (size_t i = 0; i < ARRAY_SIZE(f); i++)
		function_free(&f[i]);
}

static void a_warm_function_needs_no_spares_however_often_it_is_called(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("often");

	(void)state;
	rig.conf->pool_max_spares = 4;
	for (int i = 0; i < 20; i++)
		warm_up(&w, f.name);
	wait_for_spares(1); /* one was needed, and is expected to be again */
	rig_barrier();
	assert_int_equal(sandbox_total(), 2);
}

static void a_function_unknown_so_far_gets_one_container_started_not_one_for_each_that_waits(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("unknown");
	uint64_t seq[10];

	(void)state;
	rig.tick = NULL; /* nobody is late */
	rig.engine->manner[FAKE_CREATE].hold = true;
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++)
		seq[i] = worker_lease(&w, f.name, 0);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) == 1);
	worker_assert_silent(&w);
	rig.engine->manner[FAKE_CREATE].hold = false;
	fake_docker_let_go(rig.engine, FAKE_CREATE);
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++) {
		struct grant g = worker_granted(&w, seq[i]);
		worker_close_fds(&g);
		worker_release_after(&w, g.lease_id, 1, 100);
	}
	assert_int_equal(rig.engine->calls[FAKE_CREATE], 1);
}

/* ---- Retry-After ---- */

static uint32_t retry_after_ms(struct worker *w, const struct function *f)
{
	return worker_denied(w, worker_lease(w, f->name, 0)).retry_after_ms;
}

static void retry_after_grows_with_the_queue_and_with_how_long_an_invocation_takes(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("queue");

	(void)state;
	f.max_concurrency = 2;
	deploy(&f);
	worker_release_after(&w, worker_take(&w, f.name).lease_id, 1, 3000000); /* takes three seconds */
	rig.conf->pool_queue_length = 3;
	worker_take(&w, f.name);
	AUTO(worker_close_fds) struct grant second = worker_granted(&w, worker_lease(&w, f.name, 0));
	for (int i = 0; i < 3; i++)
		worker_lease(&w, f.name, 0);
	rig_barrier();
	assert_int_equal(retry_after_ms(&w, &f), 4 * 3000 / 2); /* after the three in two sandboxes */
	rig.conf->pool_queue_length = 1;
	assert_int_equal(retry_after_ms(&w, &f), 4 * 3000 / 2);
}

static void retry_after_waits_for_the_pause_after_starts_that_failed(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("pause");

	(void)state;
	rig.engine->manner[FAKE_CREATE] = (struct fake_manner){.status = 400, .body = "{\"message\":\"no such thing\"}"};
	retry_after_ms(&w, &f);
	default_shape()->retry_us = clock_mono_us() + 20000000;
	default_shape()->start_us = 400000;
	assert_in_range(retry_after_ms(&w, &f), 20000, 20400);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, stored_nothing_leaks)
	const struct CMUnitTest tests[] = {
		TEST(the_budget_is_never_exceeded_and_all_are_served_in_the_end),
		TEST(short_memory_takes_what_has_been_idle_longest),
		TEST(as_many_go_as_a_large_one_needs),
		TEST(short_memory_takes_spares_nobody_waits_for_and_none_are_started),
		TEST(the_spares_that_go_are_of_the_shape_asked_for_longest_ago),
		TEST(a_request_that_can_never_fit_is_told_at_once),
		TEST(a_smaller_budget_takes_what_is_idle),
		TEST(what_no_longer_fits_once_it_is_ready_never_becomes_a_spare),
		TEST(spares_follow_what_was_needed_at_a_time_up_to_their_most_and_back),
		TEST(a_warm_function_needs_no_spares_however_often_it_is_called),
		TEST(a_function_unknown_so_far_gets_one_container_started_not_one_for_each_that_waits),
		TEST(retry_after_grows_with_the_queue_and_with_how_long_an_invocation_takes),
		TEST(retry_after_waits_for_the_pause_after_starts_that_failed),
	};

	return cmocka_run_group_tests(tests, stored_set_up, stored_tear_down);
}
