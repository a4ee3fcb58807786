#include "tests/unit/poolmgr/pool_rig.h"

#include <utlist.h>

#include "base/mem.h"
#include "poolmgr/pool.h"
#include "poolmgr/stats.h"

static json_t *at(json_t *json, const char *a, const char *b)
{
	return json_object_get(json_object_get(json, a), b);
}

static json_t *default_shape_of(json_t *json)
{
	json_t *shape;
	size_t i;

	json_array_foreach (json_object_get(json, "shapes"), i, shape)
		if (strcmp(json_string_value(json_object_get(shape, "shape")), default_shape()->name) == 0)
			return shape;
	fail_msg("the default shape is not told");
	return NULL;
}

static void the_engine_the_store_and_the_workers_are_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(worker_close) struct worker other = worker_connect();
	json_t *json = worker_stats_new(&w);

	(void)state;
	assert_true(json_is_true(at(json, "docker", "ok")));
	assert_string_equal(json_string_value(at(json, "docker", "detail")), "");
	assert_string_equal(json_string_value(at(json, "docker", "version")), "20.10.24");
	json_t *runtimes = json_object_get(json, "runtimes");
	assert_int_equal(json_object_size(runtimes), driver_count);
	for (size_t i = 0; i < driver_count; i++) {
		assert_true(json_is_true(at(runtimes, drivers[i]->name, "available")));
		assert_string_equal(json_string_value(at(runtimes, drivers[i]->name, "detail")), "");
	}
	assert_true(json_is_false(json_object_get(json, "egress")));
	assert_true(json_is_false(at(json, "database", "ok")));
	assert_non_null(strstr(json_string_value(at(json, "database", "detail")), "PostgreSQL"));
	assert_int_equal(json_integer_value(json_object_get(json, "workers")), 2);
	assert_int_equal(json_integer_value(json_object_get(json, "waiting")), 0);
	json_decref(json);
}

static void a_runtime_the_engine_lacks_is_told_with_what_to_do_and_so_is_the_network(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	for (int lacks = 1; lacks >= 0; lacks--) {
		fake_docker_stop(rig.engine);
		WAIT_FOR(!docker_is_up(rig.docker));
		if (lacks)
			rig.engine->runtimes = "{\"runc\":{}}";
		else
			fake_docker_reset(rig.engine);
		rig.engine->network = lacks ? "berth-unit" : NULL;
		fake_docker_start(rig.engine);
		WAIT_FOR(docker_is_up(rig.docker));
		json_t *json = worker_stats_new(&w), *runtimes = json_object_get(json, "runtimes");
		assert_true(json_is_true(at(runtimes, "docker", "available")));
		assert_int_equal(json_is_true(at(runtimes, "gvisor", "available")), !lacks);
		assert_string_equal(json_string_value(at(runtimes, "gvisor", "detail")),
				    lacks ? driver_find("gvisor")->missing : "");
		assert_int_equal(json_is_true(json_object_get(json, "egress")), lacks);
		json_decref(json);
	}
}

static void an_engine_that_is_down_is_told_with_the_reason(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	fake_docker_stop(rig.engine);
	WAIT_FOR(!docker_is_up(rig.docker));
	json_t *json = worker_stats_new(&w);
	assert_true(json_is_false(at(json, "docker", "ok")));
	assert_non_null(strstr(json_string_value(at(json, "docker", "detail")), rig.conf->docker_socket));
	json_decref(json);
	fake_docker_start(rig.engine);
	WAIT_FOR(docker_is_up(rig.docker));
}

static void sandboxes_are_counted_by_state_and_shape(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("stats");

	(void)state;
	check_function(&w, &f);
	rig.conf->pool_min_spares = 2;
	WAIT_FOR(sandbox_counts[SANDBOX_SPARE] == 4); /* of two languages */
	json_t *json = worker_stats_new(&w);
	assert_int_equal(json_object_size(json_object_get(json, "sandboxes")), SANDBOX_GONE);
	assert_int_equal(json_integer_value(at(json, "sandboxes", "leased")), 1);
	assert_int_equal(json_integer_value(at(json, "sandboxes", "spare")), 4);
	assert_int_equal(json_integer_value(at(json, "sandboxes", "dying")), 0);
	json_t *shape = default_shape_of(json);
	assert_int_equal(json_integer_value(json_object_get(shape, "spare")), 2);
	assert_string_equal(json_string_value(json_object_get(shape, "problem")), "");
	json_decref(json);
}

static void images_are_there_or_missing_as_last_seen(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	rig.engine->missing_image = "beta-image";
	stats_check_images();
	rig_barrier();
	WAIT_FOR(rig.engine->calls[FAKE_IMAGE] == 2);
	json_t *json = worker_stats_new(&w);
	assert_true(json_is_true(at(json, "images", "alpha")));
	assert_true(json_is_false(at(json, "images", "beta")));
	json_decref(json);
}

/* Words of Docker are cut to fit, and the cut may fall within a character. */
static void a_problem_cut_within_a_character_is_told_all_the_same(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	rig.conf->pool_min_spares = 1;
	for (int shift = 0; shift < 2; shift++) { /* one of the two cuts within */
		AUTO(buf_free) struct buf message = {0};
		buf_printf(&message, "{\"message\":\"%s", shift ? "x" : "");
		for (int i = 0; i < 300; i++)
			buf_add_str(&message, "ü");
		buf_add_str(&message, "\"}");
		rig.engine->manner[FAKE_CREATE] = (struct fake_manner){.status = 500, .body = message.data};
		shape_start_succeeded(default_shape());
		WAIT_FOR(default_shape()->failures > 0);
		json_t *json = worker_stats_new(&w);
		assert_non_null(strstr(json_string_value(json_object_get(default_shape_of(json), "problem")),
				       "could not create the container"));
		json_decref(json);
		rig.engine->manner[FAKE_CREATE] = (struct fake_manner){0};
	}
}

static int count_shapes(void)
{
	const struct shape *s;
	int n;

	DL_COUNT(shapes, s, n);
	return n;
}

static void more_shapes_than_fit_are_counted_instead(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("shapes");
	char problem[600] = "";
	struct shape *shape;
	struct spec *spec;
	struct err err;

	(void)state;
	int before = count_shapes();
	json_t *json = worker_stats_new(&w);
	assert_int_equal(json_integer_value(json_object_get(json, "shapes_left_out")), 0);
	assert_int_equal(json_array_size(json_object_get(json, "shapes")), before);
	json_decref(json);

	rig.tick = NULL;                            /* they are in use as long as the test says so */
	memset(problem, '\1', sizeof(problem) - 1); /* each takes six bytes in JSON */
	for (int i = 1; i <= 200; i++) {
		f.memory_limit_mb = 1000 + i;
		json = function_spec(&f);
		AUTO(mem_free) char *text = json_dumps(json, 0);
		json_decref(json);
		assert_ok(spec_from_text(text, strlen(text), &spec, &err));
		assert_ok(shape_for(spec, &shape, &err));
		shape_start_failed(shape, problem, clock_mono_us());
		spec_free(&spec);
	}
	json = worker_stats_new(&w);
	json_int_t left_out = json_integer_value(json_object_get(json, "shapes_left_out"));
	assert_in_range(left_out, 1, 190);
	assert_int_equal(json_array_size(json_object_get(json, "shapes")) + (size_t)left_out, before + 200);
	json_decref(json);
	rig.tick = pool_tick;
	WAIT_FOR(count_shapes() <= before);
}

static int set_up(void **state)
{
	(void)state;
	rig_start();
	pool_rig_start(NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pool_rig_stop();
	rig_stop();
	return 0;
}

static int each(void **state)
{
	(void)state;
	pool_rig_reset();
	return 0;
}

static int nothing_leaks(void **state)
{
	(void)state;
	pool_rig_assert_nothing_leaks();
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, nothing_leaks)
	const struct CMUnitTest tests[] = {
		TEST(the_engine_the_store_and_the_workers_are_told),
		TEST(a_runtime_the_engine_lacks_is_told_with_what_to_do_and_so_is_the_network),
		TEST(an_engine_that_is_down_is_told_with_the_reason),
		TEST(sandboxes_are_counted_by_state_and_shape),
		TEST(images_are_there_or_missing_as_last_seen),
		TEST(more_shapes_than_fit_are_counted_instead),
		TEST(a_problem_cut_within_a_character_is_told_all_the_same),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
