/* What is stored in PostgreSQL, as the pool sees it: while it is away, while it changes, and the packages of it. */
#include "tests/unit/poolmgr/stored.h"

#include "base/mem.h"
#include "poolmgr/catalog/resolve.h"
#include "poolmgr/catalog/store.h"
#include "poolmgr/package/cache.h"
#include "poolmgr/package/package.h"
#include "poolmgr/pool/pool.h"
#include "tests/unit/poolmgr/slow_store.h"

/* ---- PostgreSQL ---- */

static void without_postgresql_warm_functions_go_on_and_unknown_ones_are_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function warm = deployed("warm without store");
	AUTO(function_free) struct function unknown = deployed("unknown without store");
	AUTO(function_free) struct function candidate = function_new("candidate without store");

	(void)state;
	struct grant g = warm_up(&w, warm.name);
	pg_scratch_stop(pg);
	struct denial d = worker_denied(&w, worker_lease(&w, unknown.name, 0));
	assert_int_equal(d.code, PROBLEM_STORE_UNAVAILABLE);
	assert_true(d.retry_after_ms > 0);
	assert_non_null(strstr(d.detail, "PostgreSQL"));
	struct grant again = worker_take(&w, warm.name);
	assert_string_equal(again.sandbox_id, g.sandbox_id);
	struct grant more = worker_take(&w, warm.name); /* its package is on this node */
	assert_string_not_equal(more.sandbox_id, g.sandbox_id);
	check_function(&w, &candidate);

	pg_scratch_start(pg);
	WAIT_FOR(store_is_up());
	worker_take(&w, unknown.name);
}

static void a_lookup_under_way_when_postgresql_goes_is_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("under way");

	(void)state;
	char *definition = slow_store_hang_new(pg);
	uint64_t seq = worker_lease(&w, f.name, 0);
	worker_assert_silent(&w);
	pg_scratch_stop(pg);
	assert_int_equal(worker_denied(&w, seq).code, PROBLEM_STORE_UNAVAILABLE);
	pg_scratch_start(pg);
	slow_store_cure(pg, &definition);
	WAIT_FOR(store_is_up());
}

static void what_workers_keep_is_asked_for_once_postgresql_is_back(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("kept while postgresql was away");

	(void)state;
	struct grant g = worker_take(&w, f.name);
	pg_scratch_stop(pg);
	WAIT_FOR(!store_is_up());
	assert_not_recalled(&w);
	pg_scratch_start(pg);
	WAIT_FOR(store_is_up());
	assert_recalled(&w, &g);
	worker_release(&w, g.lease_id, false);
	WAIT_FOR(state_of(&g) == SANDBOX_IDLE); /* it is not out of date as far as is known */
}

static void a_package_that_vanished_from_the_node_is_fetched_again_and_costs_no_request(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("vanished");

	(void)state;
	worker_release(&w, worker_take(&w, f.name).lease_id, true);
	char *path = mem_printf("%s/cache/%s", rig.dir, f.sha256);
	unit_remove_dir(&path);
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_code_is(&g, "vanished");
}

static void a_broken_package_is_told_and_nothing_is_kept_of_it(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("broken");

	(void)state;
	buf_reset(&f.archive);
	buf_add_str(&f.archive, "this is no archive");
	archive_hash(&f.archive, f.sha256);
	deploy(&f);
	for (int i = 0; i < 2; i++) {
		struct denial d = worker_denied(&w, worker_lease(&w, f.name, 0));
		assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
		assert_non_null(strstr(d.detail, "package"));
	}
	assert_false(rig_exists("cache/%s", f.sha256));
}

static void a_package_goes_when_space_is_short_though_its_version_is_known_and_comes_back_for_the_next_request(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("package in use");

	(void)state;
	worker_release(&w, worker_take(&w, f.name).lease_id, true);
	WAIT_FOR(sandbox_total() == 0);
	rig.conf->pool_package_cache_mb = 0;
	package_set_conf(rig.conf);
	assert_false(cache_has(f.sha256));
	assert_int_equal(HASH_COUNT(versions), 1);
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_code_is(&g, "package in use");
}

static void a_package_that_a_request_waits_for_stays(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("package waited for");

	(void)state;
	rig.conf->pool_package_cache_mb = 0;
	package_set_conf(rig.conf);
	rig.engine->boot = FAKE_BOOT_SILENT;
	worker_lease(&w, f.name, 0);
	WAIT_FOR(cache_has(f.sha256));
	package_set_conf(rig.conf);
	assert_true(cache_has(f.sha256));
	worker_close(&w);
	WAIT_FOR(pool_waiting() == 0);
	package_set_conf(rig.conf);
	assert_false(cache_has(f.sha256));
}

static int found;

static void on_found(const struct err *err, struct version *v, void *arg)
{
	(void)arg;
	assert_null(err);
	assert_non_null(v);
	found++;
}

/* What is known of each would be walked over and held in memory for ever. */
static void of_ten_thousand_functions_few_are_remembered_and_each_is_found_again(void **state)
{
	const int many = 10000, at_a_time = 100;
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("one of many");

	(void)state;
	pg_scratch_exec(pg,
			"begin; insert into functions (function_id, name, version) "
			"select gen_random_uuid(), 'many-' || n, 1 from generate_series(1, %d) n; "
			"insert into function_versions select (jsonb_populate_record(v, jsonb_build_object('function_id', "
			"f.function_id))).* from function_versions v, functions f "
			"where f.name like 'many-%%' and v.function_id = '%s'; commit",
			many, f.id);
	struct grant g = worker_take(&w, f.name); /* its sandbox, and so its version, is there all the time */
	found = 0;
	for (int round = 0; round < 2; round++) {
		for (int n = 1; n <= many; n++) {
			AUTO(mem_free) char *name = mem_printf("many-%d", n);
			resolve(name, 0, on_found, NULL);
			if (n % at_a_time == 0)
				WAIT_FOR(found == round * many + n);
		}
		assert_in_range(HASH_COUNT(versions), 1000, many / 2);
	}
	int before = found;
	resolve("many-10000", 0, on_found, NULL);
	assert_int_equal(found, before + 1); /* the latest at once */
	worker_release(&w, g.lease_id, false);
	AUTO(worker_close_fds) struct grant again = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_string_equal(again.sandbox_id, g.sandbox_id);
	pg_scratch_exec(pg, "begin; delete from function_versions v using functions f "
			    "where f.function_id = v.function_id and f.name like 'many-%%'; "
			    "delete from functions where name like 'many-%%'; commit");
}

/* ---- New versions ---- */

static void after_done_no_lease_runs_the_older_version(void **state)
{
	AUTO(worker_close) struct worker one = worker_connect();
	AUTO(worker_close) struct worker two = worker_connect();
	AUTO(function_free) struct function f = deployed("first");

	(void)state;
	struct grant idle = warm_up(&one, f.name);
	struct grant held = worker_take(&one, f.name);
	assert_string_equal(held.sandbox_id, idle.sandbox_id);
	struct grant more = worker_take(&one, f.name);
	worker_release(&one, more.lease_id, false);
	WAIT_FOR(state_of(&more) == SANDBOX_IDLE);

	deploy_code(&f, "second");
	worker_done(&two, worker_invalidate(&two, f.id, 2));
	assert_int_not_equal(state_of(&more), SANDBOX_IDLE);
	assert_int_equal(state_of(&held), SANDBOX_LEASED); /* its invocation goes on */
	AUTO(worker_close_fds) struct grant g = worker_granted(&two, worker_lease(&two, f.name, 0));
	assert_int_equal(g.version, 2);
	assert_code_is(&g, "second");
	worker_release(&one, held.lease_id, false);
	WAIT_FOR(is_gone(&held) && is_gone(&more));
}

static void who_waits_for_the_older_version_gets_the_newer_one(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("old");

	(void)state;
	f.max_concurrency = 1;
	deploy(&f);
	worker_take(&w, f.name);
	uint64_t seq = worker_lease(&w, f.name, 0);
	worker_assert_silent(&w);
	deploy_code(&f, "new");
	uint64_t invalidation = worker_invalidate(&w, f.id, 2);
	worker_done(&w, invalidation);
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, seq);
	assert_int_equal(g.version, 2);
	assert_code_is(&g, "new");
}

static void a_version_asked_for_by_its_number_stays_what_it_is(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("one");

	(void)state;
	deploy_code(&f, "two");
	AUTO(worker_close_fds) struct grant old = worker_granted(&w, worker_lease(&w, f.name, 1));
	assert_int_equal(old.version, 1);
	assert_code_is(&old, "one");
	worker_done(&w, worker_invalidate(&w, f.id, 2));
	worker_release(&w, old.lease_id, false);
	AUTO(worker_close_fds) struct grant again = worker_granted(&w, worker_lease(&w, f.id, 1));
	assert_int_equal(again.version, 1);
	assert_code_is(&again, "one");
	worker_release(&w, again.lease_id, false); /* asked for again, it is worth keeping */
	AUTO(worker_close_fds) struct grant third = worker_granted(&w, worker_lease(&w, f.name, 1));
	assert_string_equal(third.sandbox_id, again.sandbox_id);
	AUTO(worker_close_fds) struct grant current = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_int_equal(current.version, 2);
}

static void a_deleted_function_loses_its_sandboxes_and_who_waits_is_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("deleted");

	(void)state;
	f.max_concurrency = 1;
	deploy(&f);
	struct grant g = worker_take(&w, f.name);
	uint64_t current = worker_lease(&w, f.name, 0), numbered = worker_lease(&w, f.name, 1);
	WAIT_FOR(sandbox_find(g.sandbox_id)->version->waiting == 2);
	drop(&f);
	pg_scratch_exec(pg, "select delete_function_versions('%s')", f.id);
	worker_done(&w, worker_invalidate(&w, f.id, 0));
	assert_int_equal(worker_denied(&w, current).code, PROBLEM_NOT_FOUND);
	assert_int_equal(worker_denied(&w, numbered).code, PROBLEM_NOT_FOUND);
	worker_release(&w, g.lease_id, false);
	WAIT_FOR(is_gone(&g));
	assert_int_equal(worker_denied(&w, worker_lease(&w, f.name, 0)).code, PROBLEM_NOT_FOUND);
}

static void a_change_made_elsewhere_is_heard_of(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("here");

	(void)state;
	struct grant g = warm_up(&w, f.name);
	deploy_code(&f, "elsewhere");
	WAIT_FOR(is_gone(&g));
	AUTO(worker_close_fds) struct grant new = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_code_is(&new, "elsewhere");
	worker_release(&w, new.lease_id, false);
	WAIT_FOR(state_of(&new) == SANDBOX_IDLE);
	drop(&f);
	WAIT_FOR(is_gone(&new));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORED_TEST(without_postgresql_warm_functions_go_on_and_unknown_ones_are_told),
		STORED_TEST(a_lookup_under_way_when_postgresql_goes_is_told),
		STORED_TEST(what_workers_keep_is_asked_for_once_postgresql_is_back),
		STORED_TEST(a_package_that_vanished_from_the_node_is_fetched_again_and_costs_no_request),
		STORED_TEST(a_broken_package_is_told_and_nothing_is_kept_of_it),
		STORED_TEST(a_package_goes_when_space_is_short_though_its_version_is_known_and_comes_back_for_the_next_request),
		STORED_TEST(a_package_that_a_request_waits_for_stays),
		STORED_TEST(of_ten_thousand_functions_few_are_remembered_and_each_is_found_again),
		STORED_TEST(after_done_no_lease_runs_the_older_version),
		STORED_TEST(who_waits_for_the_older_version_gets_the_newer_one),
		STORED_TEST(a_version_asked_for_by_its_number_stays_what_it_is),
		STORED_TEST(a_deleted_function_loses_its_sandboxes_and_who_waits_is_told),
		STORED_TEST(a_change_made_elsewhere_is_heard_of),
	};

	return cmocka_run_group_tests(tests, stored_set_up, stored_tear_down);
}
