/* An image is built anew under its name: what runs the older one goes, one by one, and never all of it. */
#include "tests/unit/poolmgr/pool_rig.h"

#include <utlist.h>

#include "poolmgr/pool/pool.h"
#include "poolmgr/sandbox/image.h"
#include "poolmgr/sandbox/renewal.h"
#include "poolmgr/stats.h"

#define SPARES   3
#define LATER_US INT64_C(3600000000) /* far more than the pace */

static int least_spares; /* that there were, starting ones included */

static void watch_spares(int64_t now_us)
{
	const struct shape *s = default_shape();

	pool_tick(now_us);
	least_spares = MIN(least_spares, s->spare_count + s->starting);
}

static void look(const char *image_id)
{
	rig.engine->image_id = image_id;
	image_check_all();
	rig_barrier();
}

static int each(void **state)
{
	int rc = pool_rig_each(state);

	look("sha256:old");
	return rc;
}

static int count_of(const char *image_id)
{
	const struct sandbox *s;
	int count = 0;

	for (int state = 0; state < SANDBOX_DYING; state++)
		DL_FOREACH (sandbox_lists[state], s)
			count += strcmp(s->image_id, image_id) == 0;
	return count;
}

static void keep_spares(int count)
{
	rig.conf->pool_min_spares = rig.conf->pool_max_spares = count;
	pool_set_conf(rig.conf);
	shape_set_conf(rig.conf);
}

static void spares_of_an_older_image_are_replaced_one_after_the_other(void **state)
{
	(void)state;
	keep_spares(SPARES);
	WAIT_FOR(default_shape()->spare_count == SPARES);
	assert_int_equal(count_of("sha256:old"), sandbox_total());
	least_spares = SPARES;
	rig.tick = watch_spares;
	uint64_t killed = counters[COUNT_KILL_IMAGE];
	look("sha256:new");
	WAIT_FOR(count_of("sha256:old") == 0 && default_shape()->spare_count == SPARES);
	assert_true(least_spares >= SPARES - 1);
	assert_true(counters[COUNT_KILL_IMAGE] - killed >= SPARES);

	killed = counters[COUNT_KILL_IMAGE];
	look("sha256:new"); /* the same as before */
	renewal_tick(clock_mono_us() + LATER_US);
	assert_int_equal(counters[COUNT_KILL_IMAGE], killed);
	keep_spares(0);
}

static void an_idle_sandbox_goes_and_a_leased_one_is_asked_for_and_not_used_again(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(worker_close) struct worker other = worker_connect();
	AUTO(function_free) struct function f = function_new("idle");
	AUTO(function_free) struct function g = function_new("leased");

	(void)state;
	struct grant idle = check_function(&w, &f), leased = check_function(&other, &g);
	worker_release(&w, idle.lease_id, false);
	WAIT_FOR(sandbox_find(idle.sandbox_id)->state == SANDBOX_IDLE);
	look("sha256:new");
	WAIT_FOR(sandbox_find(idle.sandbox_id) == NULL);
	WAIT_FOR(worker_has_message(&other));
	worker_assert_silent(&other);
	assert_int_equal(other.recalls, 1);
	assert_int_equal(other.recalled[0], leased.lease_id);
	assert_int_equal(sandbox_find(leased.sandbox_id)->state, SANDBOX_LEASED); /* as long as its invocation takes */
	worker_release(&other, leased.lease_id, false);
	WAIT_FOR(sandbox_find(leased.sandbox_id) == NULL);
}

static void nothing_goes_while_a_new_one_cannot_be_started(void **state)
{
	(void)state;
	keep_spares(1);
	WAIT_FOR(default_shape()->spare_count == 1);
	rig.tick = NULL;
	default_shape()->failures = 1;
	look("sha256:new");
	renewal_tick(clock_mono_us() + LATER_US);
	assert_int_equal(default_shape()->spare_count, 1);
	default_shape()->failures = 0;
	renewal_tick(clock_mono_us() + LATER_US);
	assert_int_equal(default_shape()->spare_count, 0);
	default_shape()->replaced_us = 0;
	rig.tick = pool_tick;
	WAIT_FOR(count_of("sha256:old") == 0 && default_shape()->spare_count == 1);
	keep_spares(0);
}

static void an_engine_that_does_not_say_which_image_it_is_costs_nobody_his_sandbox(void **state)
{
	(void)state;
	keep_spares(1);
	WAIT_FOR(default_shape()->spare_count == 1);
	const struct sandbox *s = default_shape()->spares;
	look("");
	rig.engine->missing_image = "alpha-image";
	look("sha256:new");
	assert_false(renewal_is_due(s));
	assert_string_equal(image_of(rig.languages->versions), "sha256:old");
	keep_spares(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, pool_rig_nothing_leaks)
		TEST(spares_of_an_older_image_are_replaced_one_after_the_other),
		TEST(an_idle_sandbox_goes_and_a_leased_one_is_asked_for_and_not_used_again),
		TEST(nothing_goes_while_a_new_one_cannot_be_started),
		TEST(an_engine_that_does_not_say_which_image_it_is_costs_nobody_his_sandbox),
#undef TEST
	};

	return cmocka_run_group_tests(tests, pool_rig_set_up, pool_rig_tear_down);
}
