#include "tests/unit/unit.h"

#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"
#include "poolmgr/catalog/shape.h"

static struct conf *conf;
static struct language alpha, beta;
static struct language_version beta_1 = {.language = &beta, .name = "1", .label = "beta-1"};
static struct language_version alpha_2 = {.language = &alpha, .name = "2", .label = "alpha-2"};
static struct language_version alpha_1 = {.language = &alpha, .name = "1", .label = "alpha-1", .next = &alpha_2};
static struct language beta = {.name = "beta", .versions = &beta_1, .default_version = &beta_1, .min_memory_mb = 300};
static struct language alpha = {.name = "alpha",
				.versions = &alpha_1,
				.default_version = &alpha_2,
				.min_memory_mb = 64,
				.own_memory_mb = 5,
				.next = &beta};

static struct spec default_spec(void)
{
	return (struct spec){
		.language = "alpha",
		.language_version = "2",
		.runtime = "gvisor",
		.memory_limit_mb = 128,
		.cpu_millis = 1000,
		.tmp_mb = conf->limits_tmp_default_mb,
		.tmp_inodes = conf->limits_tmp_inodes_default,
		.pids = conf->limits_pids_default,
		.nofile = conf->limits_nofile_default,
		.network = "none",
	};
}

static struct shape *shape_of(const struct spec *spec)
{
	struct shape *shape = NULL;
	struct err err;

	assert_ok(shape_for(spec, &shape, &err));
	return shape;
}

static int count_shapes(void)
{
	const struct shape *s;
	int n;

	DL_COUNT(shapes, s, n);
	return n;
}

static void there_is_one_of_the_default_runtime_version_and_limits_per_language(void **state)
{
	(void)state;
	assert_int_equal(count_shapes(), 2);
	struct shape *a = shapes, *b = shapes->next;
	assert_ptr_equal(a->key.driver, driver_find("gvisor"));
	assert_ptr_equal(a->key.language_version, &alpha_2);
	assert_int_equal(a->key.memory_mb, 128);
	assert_int_equal(a->key.pids, conf->limits_pids_default);
	assert_int_equal(a->key.nofile, conf->limits_nofile_default);
	assert_int_equal(a->key.tmp_inodes, conf->limits_tmp_inodes_default);
	assert_false(a->key.egress);
	assert_ptr_equal(b->key.language_version, &beta_1);
	assert_int_equal(b->key.memory_mb, 300); /* with less its agent does not start */
	assert_true(a->always && b->always);
	struct spec spec = default_spec();
	assert_ptr_equal(shape_of(&spec), a);
}

static void versions_alike_share_one_and_whatever_docker_must_know_makes_another(void **state)
{
	struct spec specs[11];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		specs[i] = default_spec();
	specs[1].runtime = "docker";
	specs[2].language = "beta";
	specs[2].language_version = "1";
	specs[3].memory_limit_mb++;
	specs[4].cpu_millis++;
	specs[5].tmp_mb++;
	specs[6].tmp_inodes++;
	specs[7].pids++;
	specs[8].nofile++;
	specs[9].network = "egress";
	specs[10].language_version = "1";
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		const struct shape *shape = shape_of(&specs[i]);
		assert_ptr_equal(shape_of(&specs[i]), shape);
		for (size_t j = 0; j < i; j++) {
			assert_ptr_not_equal(shape_of(&specs[j]), shape);
			assert_string_not_equal(shape_of(&specs[j])->name, shape->name);
		}
	}
	specs[0].timeout_ms = 77; /* no business of Docker's */
	specs[0].isolation = "per_invocation";
	assert_ptr_equal(shape_of(&specs[0]), shapes);
}

static void a_runtime_language_or_version_nobody_knows_is_told_and_makes_none(void **state)
{
	struct spec spec = default_spec();
	struct shape *shape = NULL;
	struct err err;

	(void)state;
	int before = count_shapes();
	spec.runtime = "firecracker";
	assert_fails(shape_for(&spec, &shape, &err), "there is no runtime 'firecracker'");
	spec.language = "cobol";
	assert_fails(shape_for(&spec, &shape, &err), "there is no language 'cobol'");
	spec = default_spec();
	spec.language_version = "3";
	assert_fails(shape_for(&spec, &shape, &err), "there is no version '3' of alpha");
	assert_null(shape);
	assert_int_equal(count_shapes(), before);
}

static void one_nobody_uses_is_forgotten_after_its_time_and_those_always_there_are_not(void **state)
{
	struct shape *s, *next;
	int64_t later_us = clock_mono_us() + conf->pool_idle_timeout_ms * 1000;

	(void)state;
	struct spec spec = default_spec();
	spec.pids = 7;
	struct shape *used = shape_of(&spec);
	used->users = 1;
	conf->pool_min_spares = 0; /* else they are wanted anyway */
	DL_FOREACH_SAFE (shapes, s, next)
		shape_forget_if_unused(s, later_us + 1000000);
	assert_int_equal(count_shapes(), 3);
	conf->pool_min_spares = 1;
	used->users = 0;
	shape_forget_if_unused(used, used->used_us + conf->pool_idle_timeout_ms * 1000 - 1);
	assert_int_equal(count_shapes(), 3);
	shape_forget_if_unused(used, used->used_us + conf->pool_idle_timeout_ms * 1000);
	assert_int_equal(count_shapes(), 2);
}

static void a_peak_of_demand_is_forgotten_in_its_own_time_however_long_idle_sandboxes_live(void **state)
{
	static const int64_t idle_timeouts_ms[] = {100, 86400000};
	int64_t half_life_us = conf->pool_demand_half_life_ms * 1000, now_us = clock_mono_us();
	struct shape *s = shapes; /* a shape that always exists */

	(void)state;
	conf->pool_min_spares = 0;
	conf->pool_max_spares = 8;
	s->forecast = (struct forecast){0};
	for (int i = 0; i < 8; i++)
		shape_needed(s, now_us);
	for (size_t i = 0; i < ARRAY_SIZE(idle_timeouts_ms); i++) {
		conf->pool_idle_timeout_ms = idle_timeouts_ms[i];
		assert_int_equal(shape_spares_wanted(s, now_us), 8);
		assert_int_equal(shape_spares_wanted(s, now_us + half_life_us), 4);
		assert_int_equal(shape_spares_wanted(s, now_us + 2 * half_life_us), 2);
	}
}

/* How many are always ready, and have that runtime and /tmp. */
static int count_always(const char *runtime, int64_t tmp_mb)
{
	const struct shape *s;
	int always = 0, wanted = 0;

	DL_FOREACH (shapes, s) {
		always += s->always;
		wanted += s->always && strcmp(s->key.driver->name, runtime) == 0 && s->key.tmp_mb == tmp_mb;
	}
	assert_int_equal(always, wanted);
	return always;
}

static void what_failed_is_tried_again_within_seconds_or_at_once_when_docker_engine_is_back(void **state)
{
	(void)state;
	for (int i = 0; i < 20; i++) {
		shape_start_failed(shapes, "test", 1000);
		assert_in_range(shapes->retry_us, 1000 + 200000, 1000 + 5000000);
	}
	shape_retry_all();
	assert_int_equal(shapes->retry_us, 0);
	assert_int_equal(shapes->failures, 0);
	assert_string_equal(shapes->problem, "");
}

static void another_default_runtime_or_limit_makes_others_always_ready_in_their_place(void **state)
{
	AUTO(conf_free) struct conf *other = NULL;
	struct shape *s, *next;
	struct err err;

	(void)state;
	assert_ok(conf_load_file(NULL, &other, &err));
	snprintf(other->sandbox_default_runtime, sizeof("gvisor"), "docker");
	other->limits_tmp_default_mb = 32;
	assert_int_equal(count_always("gvisor", 64), 2);
	shape_set_conf(other);
	assert_int_equal(count_always("docker", 32), 2);
	DL_FOREACH_SAFE (shapes, s, next)
		shape_forget_if_unused(s, INT64_MAX);
	assert_int_equal(count_shapes(), 2); /* nothing else keeps those of before */
	shape_set_conf(conf);
	assert_int_equal(count_always("gvisor", 64), 2);
}

static int set_up(void **state)
{
	(void)state;
	if (conf_load_file(NULL, &conf, NULL) < 0)
		return -1;
	shape_init(conf, &alpha);
	return 0;
}

static int tear_down(void **state)
{
	struct shape *s, *next;

	(void)state;
	DL_FOREACH_SAFE (shapes, s, next) {
		s->always = false;
		shape_forget_if_unused(s, INT64_MAX);
	}
	conf_free(&conf);
	return 0;
}

static void the_node_keeps_what_the_function_may_have_and_what_its_sandbox_needs(void **state)
{
	struct spec spec = default_spec();
	struct shape *on_gvisor = shape_of(&spec);

	(void)state;
	spec.runtime = "docker";
	assert_int_equal(shape_memory_mb(shape_of(&spec)), 128 + 5);
	assert_int_equal(shape_memory_mb(on_gvisor), 128 + 5 + on_gvisor->key.driver->own_memory_mb);
	assert_true(on_gvisor->key.driver->own_memory_mb > 0);
	spec.language = "beta";
	spec.language_version = "1";
	spec.memory_limit_mb = 300;
	assert_int_equal(shape_memory_mb(shape_of(&spec)), 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_is_one_of_the_default_runtime_version_and_limits_per_language),
		cmocka_unit_test(versions_alike_share_one_and_whatever_docker_must_know_makes_another),
		cmocka_unit_test(the_node_keeps_what_the_function_may_have_and_what_its_sandbox_needs),
		cmocka_unit_test(a_runtime_language_or_version_nobody_knows_is_told_and_makes_none),
		cmocka_unit_test(one_nobody_uses_is_forgotten_after_its_time_and_those_always_there_are_not),
		cmocka_unit_test(a_peak_of_demand_is_forgotten_in_its_own_time_however_long_idle_sandboxes_live),
		cmocka_unit_test(what_failed_is_tried_again_within_seconds_or_at_once_when_docker_engine_is_back),
		cmocka_unit_test(another_default_runtime_or_limit_makes_others_always_ready_in_their_place),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
