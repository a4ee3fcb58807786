/* Packages that functions share, while one is deployed and another deleted. */
#include "db/db_functions.h"

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "tests/unit/db/function_rig.h"

static void a_package_stays_as_long_as_any_function_uses_it(void **state)
{
	struct fixture *f = *state;
	struct uuid gone;

	create_function(f, "one", "shared");
	create_function(f, "two", "shared");
	assert_int_equal(count_packages(), 1);
	assert_int_equal(db_function_delete(f->db, "one", -1, &gone, &f->err), 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from packages where archive = 'shared'"), 1);
	assert_int_equal(db_function_delete(f->db, "two", -1, &gone, &f->err), 0);
	assert_int_equal(count_packages(), 0);
}

/* A second client, which has to wait until the test commits. */
struct rival {
	struct fixture *f;
	pthread_t thread;
	bool deletes; /* false: it creates a function */
	int rc;
};

static void *run_rival(void *arg)
{
	struct rival *r = arg;
	AUTO(spec_free) struct spec *spec = make_spec("rival", "shared");
	AUTO(db_function_free) struct db_function *stored = NULL;
	struct uuid gone;

	if (r->deletes)
		r->rc = db_function_delete(r->f->db, "victim", -1, &gone, &r->f->err);
	else
		r->rc = db_function_create(r->f->db, spec, "shared", 6, &stored, &r->f->err);
	return NULL;
}

static void start_rival(struct rival *r)
{
	assert_int_equal(pthread_create(&r->thread, NULL, run_rival, r), 0);
	while (pg_scratch_number(pg, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'") == 0)
		usleep(10000);
}

static void a_deletion_waits_for_a_deploy_of_its_package_and_leaves_it(void **state)
{
	struct fixture *f = *state;
	struct rival rival = {.f = f, .deletes = true};
	AUTO(mem_free) char *sha = sha256_of("shared");

	create_function(f, "victim", "shared");
	create_function(f, "bystander", "else");
	pg_scratch_exec(pg, "begin");
	pg_scratch_exec(pg, "insert into packages values ('%s', 'shared', 6) on conflict (sha256) do update set size = 6", sha);
	pg_scratch_exec(
		pg,
		"insert into function_versions select function_id, 2, language, runtime, handler, environment, timeout_ms, "
		"memory_limit_mb, cpu_millis, tmp_mb, network, max_concurrency, '%s', created_at, init_timeout_ms, tmp_inodes, "
		"pids, nofile, response_bytes, log_bytes, isolation, min_warm from function_versions "
		"where function_id = function_id_of('bystander')",
		sha);
	start_rival(&rival);
	pg_scratch_exec(pg, "commit");
	pthread_join(rival.thread, NULL);
	assert_int_equal(rival.rc, 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from packages where sha256 = '%s'", sha), 1);
}

static void a_deploy_waits_for_a_deletion_of_its_package_and_stores_it_again(void **state)
{
	struct fixture *f = *state;
	struct rival rival = {.f = f};

	create_function(f, "victim", "shared");
	pg_scratch_exec(pg, "begin");
	pg_scratch_exec(pg, "select delete_function_versions(function_id_of('victim'))");
	pg_scratch_exec(pg, "update functions set status = 'deleted', version = null where name = 'victim'");
	start_rival(&rival);
	pg_scratch_exec(pg, "commit");
	pthread_join(rival.thread, NULL);
	assert_int_equal(rival.rc, 0);
	assert_int_equal(count_packages(), 1);
}

static void a_deploy_keeps_a_package_it_found_until_its_version_is_there(void **state)
{
	struct fixture *f = *state;
	struct rival rival = {.f = f};
	AUTO(mem_free) char *sha = sha256_of("shared");

	create_function(f, "owner", "shared");
	pg_scratch_exec(pg, "create function pause() returns trigger language plpgsql as "
			    "$$ begin perform pg_advisory_xact_lock(1); return new; end $$; "
			    "create trigger pause before insert on function_versions for each row execute function pause(); "
			    "select pg_advisory_lock(1)");
	start_rival(&rival); /* it has locked the package and is about to store the version */
	assert_int_equal(pg_scratch_number(pg,
					   "select count(*) from (select from packages where sha256 = '%s' "
					   "for update skip locked) as not_locked",
					   sha),
			 0);
	pg_scratch_exec(pg, "select pg_advisory_unlock(1)");
	pthread_join(rival.thread, NULL);
	assert_int_equal(rival.rc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MIGRATED_TEST(a_package_stays_as_long_as_any_function_uses_it),
		MIGRATED_TEST(a_deletion_waits_for_a_deploy_of_its_package_and_leaves_it),
		MIGRATED_TEST(a_deploy_waits_for_a_deletion_of_its_package_and_stores_it_again),
		MIGRATED_TEST(a_deploy_keeps_a_package_it_found_until_its_version_is_there),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
