#include "tests/unit/poolmgr/pool_rig.h"

#include <utlist.h>

#include "base/mem.h"
#include "poolmgr/node/counters.h"
#include "poolmgr/pool/pool.h"
#include "poolmgr/sandbox/image.h"
#include "poolmgr/stats.h"
#include "tests/support/described.h"

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
	assert_true(json_is_false(at(json, "egress", "available")));
	assert_non_null(strstr(json_string_value(at(json, "egress", "detail")), "scripts/egress up"));
	assert_true(json_is_false(at(json, "database", "ok")));
	assert_non_null(strstr(json_string_value(at(json, "database", "detail")), "PostgreSQL"));
	assert_int_equal(json_integer_value(json_object_get(json, "connections")), 2);
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
		pool_rig_egress(lacks ? "its rules are not there" : "ok");
		fake_docker_start(rig.engine);
		WAIT_FOR(docker_is_up(rig.docker));
		json_t *json = worker_stats_new(&w), *runtimes = json_object_get(json, "runtimes");
		assert_true(json_is_true(at(runtimes, "docker", "available")));
		assert_int_equal(json_is_true(at(runtimes, "gvisor", "available")), !lacks);
		assert_string_equal(json_string_value(at(runtimes, "gvisor", "detail")),
				    lacks ? driver_find("gvisor")->missing : "");
		assert_int_equal(json_is_true(at(json, "egress", "available")), !lacks);
		assert_string_equal(json_string_value(at(json, "egress", "detail")),
				    lacks ? "the network for egress does not work: its rules are not there" : "");
		json_decref(json);
	}
	pool_rig_egress(NULL);
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

static json_t *function_of(json_t *json, const struct function *f)
{
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(json, "functions"), i, row)
		if (strcmp(json_string_value(json_object_get(row, "function_id")), f->id) == 0)
			return row;
	return NULL;
}

static void a_shape_says_what_it_wants_and_what_its_sandboxes_do(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("shape");
	AUTO(function_free) struct function idle = function_new("idle");

	(void)state;
	check_function(&w, &f);
	worker_release(&w, check_function(&w, &idle).lease_id, false);
	WAIT_FOR(sandbox_counts[SANDBOX_IDLE] == 1);
	rig.conf->pool_min_spares = 3;
	rig.engine->boot = FAKE_BOOT_SILENT;
	WAIT_FOR(sandbox_counts[SANDBOX_BOOTING] == rig.conf->pool_max_starts);
	json_t *json = worker_stats_new(&w), *shape = default_shape_of(json);
	assert_int_equal(json_integer_value(json_object_get(shape, "spares_wanted")), 3);
	assert_int_equal(json_integer_value(json_object_get(shape, "starting")), default_shape()->starting);
	assert_int_equal(json_integer_value(at(shape, "sandboxes", "booting")), default_shape()->starting);
	assert_int_equal(json_integer_value(at(shape, "sandboxes", "leased")), 1);
	assert_int_equal(json_integer_value(at(shape, "sandboxes", "idle")), 1);
	assert_int_equal(json_integer_value(at(json, "memory", "committed_mb")), 128 * sandbox_total());
	json_decref(json);
}

static uint64_t published(const char *runtime, enum runtime_gauge gauge)
{
	for (int r = 0; r < TALLY_RUNTIMES; r++)
		if (strcmp(tally_runtimes[r], runtime) == 0)
			return *scoreboard_runtime_gauge(pool_rig_board, r, gauge);
	fail_msg("no place for %s", runtime);
	return 0;
}

static void sandboxes_are_published_by_runtime(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("docker");
	AUTO(function_free) struct function g = function_new("gvisor");

	(void)state;
	g.runtime = "gvisor";
	worker_release(&w, check_function(&w, &f).lease_id, false);
	WAIT_FOR(sandbox_counts[SANDBOX_IDLE] == 1);
	check_function(&w, &g);
	stats_publish();
	assert_int_equal(published("docker", RUNTIME_GAUGE_idle), 1);
	assert_int_equal(published("docker", RUNTIME_GAUGE_busy), 0);
	assert_int_equal(published("gvisor", RUNTIME_GAUGE_idle), 0);
	assert_int_equal(published("gvisor", RUNTIME_GAUGE_busy), 1);
	assert_int_equal(*scoreboard_gauge(pool_rig_board, GAUGE_sandboxes_idle), 1);
	assert_int_equal(*scoreboard_gauge(pool_rig_board, GAUGE_sandboxes_busy), 1);
	assert_int_equal(*scoreboard_gauge(pool_rig_board, GAUGE_spares_wanted),
			 published("docker", RUNTIME_GAUGE_spares_wanted) + published("gvisor", RUNTIME_GAUGE_spares_wanted));
	assert_int_equal(*scoreboard_gauge(pool_rig_board, GAUGE_database_up), 0);
	assert_int_equal(*scoreboard_counter(pool_rig_board, COUNT_START), counters[COUNT_START]);
}

static void functions_with_a_sandbox_or_waiting_for_one_are_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(worker_close) struct worker other = worker_connect();
	AUTO(function_free) struct function quiet = function_new("quiet");
	AUTO(function_free) struct function busy = function_new("busy");

	(void)state;
	busy.max_concurrency = 7;
	worker_release(&w, check_function(&w, &quiet).lease_id, false);
	WAIT_FOR(sandbox_counts[SANDBOX_IDLE] == 1);
	check_function(&w, &busy);
	rig.engine->boot = FAKE_BOOT_SILENT;
	worker_check(&other, function_spec(&busy), &busy.archive);
	WAIT_FOR(pool_waiting() == 1);
	json_t *json = worker_stats_new(&w), *row = function_of(json, &quiet);
	assert_string_equal(json_string_value(json_object_get(row, "name")), quiet.name);
	assert_string_equal(json_string_value(json_object_get(row, "status")), "trial");
	assert_int_equal(json_integer_value(json_object_get(row, "version")), 1);
	assert_int_equal(json_integer_value(at(row, "sandboxes", "idle")), 1);
	assert_int_equal(json_integer_value(at(row, "sandboxes", "leased")), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "waiting")), 0);
	assert_int_equal(json_integer_value(json_object_get(function_of(json, &busy), "max_concurrency")), 7);
	assert_int_equal(json_integer_value(json_object_get(json, "functions_left_out")), 0);
	json_decref(json);
}

/* Control workers tell some of it apart (control/metrics/metrics.c). */
static void all_that_is_told_is_described(void **state)
{
	static const char *const apart[] = {"berthd", "processes", "lanes", "spool_bytes"};
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("told");

	(void)state;
	check_function(&w, &f);
	json_t *pool = worker_stats_new(&w), *besides = json_object();
	assert_int_equal(json_array_size(json_object_get(pool, "functions")), 1);
	for (size_t i = 0; i < ARRAY_SIZE(apart); i++) {
		json_object_set(besides, apart[i], json_object_get(pool, apart[i]));
		json_object_del(pool, apart[i]);
	}
	assert_described("SystemState", besides);
	assert_described("WholePool", pool);
	json_decref(besides);
	json_decref(pool);
}

static void functions_without_a_sandbox_are_not_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("none");

	(void)state;
	worker_release(&w, check_function(&w, &f).lease_id, true);
	WAIT_FOR(sandbox_total() == 0);
	json_t *json = worker_stats_new(&w);
	assert_null(function_of(json, &f));
	json_decref(json);
}

static void more_functions_than_fit_are_counted_instead(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("many");
	const int many = 300;

	(void)state;
	rig.engine->boot = FAKE_BOOT_SILENT;
	for (int i = 0; i < many; i++) { /* each CHECK is a version of its own */
		worker_check(&w, function_spec(&f), &f.archive);
		if (i % 50 == 0)
			WAIT_FOR(pool_waiting() == i + 1);
	}
	WAIT_FOR(pool_waiting() == many);
	json_t *json = worker_stats_new(&w);
	json_int_t left_out = json_integer_value(json_object_get(json, "functions_left_out"));
	assert_in_range(left_out, 1, many - 100);
	assert_int_equal(json_array_size(json_object_get(json, "functions")) + (size_t)left_out, many);
	json_decref(json);
}

static void processes_and_counters_are_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct slot *slot = scoreboard_slot(pool_rig_board, 1);

	(void)state;
	scoreboard_set_used(pool_rig_board, 2);
	slot->role = CHILD_INVOKE;
	slot->pid = 4711;
	slot->requests = 42;
	slot->state = SLOT_BUSY;
	*scoreboard_spool_bytes(pool_rig_board) = 1000;
	json_t *json = worker_stats_new(&w), *invoke = at(json, "processes", "invoke");
	assert_int_equal(json_integer_value(json_object_get(invoke, "busy")), 1);
	assert_int_equal(json_integer_value(json_object_get(invoke, "idle")), 0);
	assert_int_equal(json_integer_value(json_object_get(invoke, "requests")), 42);
	assert_int_equal(json_integer_value(at(json, "processes", "dropped_records")), 0);
	assert_int_equal(json_integer_value(json_object_get(json, "spool_bytes")), 1000);
	assert_string_equal(json_string_value(at(json, "berthd", "version")), PACKAGE_VERSION);
	assert_string_equal(json_string_value(at(json, "berthd", "instance")), "unit");
	assert_true(json_is_integer(at(json, "berthd", "uptime_ms")));
	assert_int_equal(json_integer_value(json_object_get(at(json, "counters", "starts"), "begun")), counters[COUNT_START]);
	json_decref(json);
	scoreboard_retire(pool_rig_board, 1);
}

static void who_only_asks_whether_it_is_ready_is_told_of_no_function(void **state)
{
	char *text = stats_text_new(false);
	json_t *json = json_loads(text, 0, NULL);

	(void)state;
	assert_non_null(json_object_get(json, "sandboxes"));
	assert_null(json_object_get(json, "functions"));
	assert_null(json_object_get(json, "counters"));
	assert_null(json_object_get(json, "processes"));
	json_decref(json);
	free(text);
}

static void images_are_there_or_missing_as_last_seen(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	rig.engine->missing_image = "beta-image";
	image_check_all();
	rig_barrier();
	WAIT_FOR(rig.engine->calls[FAKE_IMAGE] == 3);
	json_t *json = worker_stats_new(&w);
	assert_true(json_is_true(at(json, "images", "alpha-1")));
	assert_true(json_is_false(at(json, "images", "beta-1")));
	assert_true(image_all_known());
	assert_int_equal(json_object_size(json_object_get(json, "images")),
			 2); /* nobody needs beta-2 until a function names it */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_TEST(the_engine_the_store_and_the_workers_are_told),
		POOL_TEST(a_runtime_the_engine_lacks_is_told_with_what_to_do_and_so_is_the_network),
		POOL_TEST(an_engine_that_is_down_is_told_with_the_reason),
		POOL_TEST(sandboxes_are_counted_by_state_and_shape),
		POOL_TEST(a_shape_says_what_it_wants_and_what_its_sandboxes_do),
		POOL_TEST(sandboxes_are_published_by_runtime),
		POOL_TEST(functions_with_a_sandbox_or_waiting_for_one_are_told),
		POOL_TEST(all_that_is_told_is_described),
		POOL_TEST(functions_without_a_sandbox_are_not_told),
		POOL_TEST(more_functions_than_fit_are_counted_instead),
		POOL_TEST(processes_and_counters_are_told),
		POOL_TEST(who_only_asks_whether_it_is_ready_is_told_of_no_function),
		POOL_TEST(images_are_there_or_missing_as_last_seen),
		POOL_TEST(more_shapes_than_fit_are_counted_instead),
		POOL_TEST(a_problem_cut_within_a_character_is_told_all_the_same),
	};

	return cmocka_run_group_tests(tests, pool_rig_set_up, pool_rig_tear_down);
}
