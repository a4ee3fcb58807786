/* The rows that the database refuses, and the values that migrations give to older versions. */
#include "db/db_functions.h"

#include <errno.h>

#include "base/mem.h"
#include "tests/unit/db/function_rig.h"

static void nonsense_is_refused_by_the_database(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;
	AUTO(spec_free) struct spec *spec = make_spec("0192d3a0-0000-7000-8000-000000000000", "code");

	assert_int_equal(db_function_create(f->db, spec, "code", 4, &stored, &f->err), -1);
	assert_int_equal(f->err.code, EINVAL);
	mem_free(&spec->name);
	spec->name = mem_strdup("hello");
	spec->timeout_ms = 0;
	assert_int_equal(db_function_create(f->db, spec, "code", 4, &stored, &f->err), -1);
	assert_int_equal(f->err.code, EINVAL);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from functions"), 0);
	assert_int_equal(count_packages(), 0);
}

/* The largest value any configuration allows. */
static int64_t setting_max(const char *key)
{
	static const struct {
		const char *key;
		int64_t max;
	} settings[] = {
#define CONF_INT(s, k, d, lo, hi, u, w, t) {#s "." #k, hi},
#define CONF_STR(s, k, d, w, t)
#include "conf/conf.def"
#undef CONF_INT
#undef CONF_STR
	};

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (strcmp(settings[i].key, key) == 0)
			return settings[i].max;
	fail_msg("there is no setting %s", key);
	return 0;
}

static const struct {
	size_t member; /* of struct spec */
	int64_t least;
	const char *setting;
} limits[] = {
	{offsetof(struct spec, timeout_ms), 1, "limits.timeout_max_ms"},
	{offsetof(struct spec, init_timeout_ms), 1, "limits.init_timeout_max_ms"},
	{offsetof(struct spec, memory_limit_mb), 1, "limits.memory_max_mb"},
	{offsetof(struct spec, tmp_mb), 0, "limits.tmp_max_mb"},
	{offsetof(struct spec, tmp_inodes), 1, "limits.tmp_inodes_max"},
	{offsetof(struct spec, pids), 1, "limits.pids_max"},
	{offsetof(struct spec, nofile), 1, "limits.nofile_max"},
	{offsetof(struct spec, response_bytes), 1, "limits.response_bytes"},
	{offsetof(struct spec, log_bytes), 0, "limits.log_max_bytes"},
	{offsetof(struct spec, max_concurrency), 3, "limits.concurrency_max"}, /* not below min_warm */
};

static int create_with(struct fixture *f, size_t member, int64_t value)
{
	AUTO(spec_free) struct spec *spec = make_spec("hello", "code");
	AUTO(db_function_free) struct db_function *stored = NULL;
	struct uuid gone;

	*(int64_t *)((char *)spec + member) = value;
	if (db_function_create(f->db, spec, "code", 4, &stored, &f->err) < 0)
		return f->err.code;
	assert_int_equal(*(int64_t *)((char *)stored->spec + member), value);
	assert_int_equal(db_function_delete(f->db, "hello", -1, &gone, &f->err), 0);
	return 0;
}

static void a_limit_may_be_what_any_configuration_allows_and_no_more(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		int64_t max = setting_max(limits[i].setting);
		assert_int_equal(create_with(*state, limits[i].member, limits[i].least), 0);
		assert_int_equal(create_with(*state, limits[i].member, max), 0);
		assert_int_equal(create_with(*state, limits[i].member, limits[i].least - 1), EINVAL);
		assert_int_equal(create_with(*state, limits[i].member, max + 1), EINVAL);
	}
}

static void as_many_sandboxes_are_kept_warm_as_a_function_may_have_and_no_more(void **state)
{
	size_t member = offsetof(struct spec, min_warm);

	assert_int_equal(create_with(*state, member, 0), 0);
	assert_int_equal(create_with(*state, member, 50), 0);
	assert_int_equal(create_with(*state, member, -1), EINVAL);
	assert_int_equal(create_with(*state, member, 51), EINVAL);
}

static void an_isolation_nobody_knows_is_refused(void **state)
{
	struct fixture *f = *state;
	AUTO(spec_free) struct spec *spec = make_spec("hello", "code");
	AUTO(db_function_free) struct db_function *stored = NULL;

	mem_free(&spec->isolation);
	spec->isolation = mem_strdup("shared");
	assert_int_equal(db_function_create(f->db, spec, "code", 4, &stored, &f->err), -1);
	assert_int_equal(f->err.code, EINVAL);
}

static void insert_as_before_0004(const char *name, int versions)
{
	AUTO(mem_free) char *sha = sha256_of("code");

	pg_scratch_exec(pg,
			"begin; insert into packages values ('%s', 'code', 4) on conflict do nothing; "
			"insert into functions (function_id, name, version) values (gen_random_uuid(), '%s', %d); "
			"insert into function_versions (function_id, version, language, runtime, handler, environment, "
			"timeout_ms, memory_limit_mb, cpu_millis, tmp_mb, network, max_concurrency, package_sha256) "
			"select function_id, v, 'python', 'docker', 'main.handler', '{\"A\":\"1\"}', 1000 * v, 256, 500, 32, "
			"'none', 7, '%s' from functions, generate_series(1, %d) v where name = '%s'; commit",
			sha, name, versions, sha, versions, name);
}

static void assert_limits_of_0004(const struct spec *s)
{
	assert_int_equal(s->min_warm, 0);
	assert_int_equal(s->init_timeout_ms, 10000);
	assert_int_equal(s->tmp_inodes, 16384);
	assert_int_equal(s->pids, 64);
	assert_int_equal(s->nofile, 1024);
	assert_int_equal(s->response_bytes, 6291456);
	assert_int_equal(s->log_bytes, 262144);
	assert_string_equal(s->isolation, "per_function");
	assert_string_equal(s->language_version, "3.11"); /* since 0018 */
}

static void versions_from_before_have_the_limits_that_were_everybodys(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;

	pg_scratch_reset_to(pg, 3);
	insert_as_before_0004("hello", 3);
	insert_as_before_0004("other", 1);
	pg_scratch_migrate_from(pg, 4);
	for (uint32_t version = 1; version <= 3; version++) {
		AUTO(spec_free) struct spec *old = NULL;
		assert_int_equal(db_function_spec(f->db, "hello", version, &old, &f->err), 0);
		assert_int_equal(old->timeout_ms, 1000 * version);
		assert_int_equal(old->tmp_mb, 32);
		assert_string_equal(old->runtime, "docker"); /* the default is a different one today */
		assert_limits_of_0004(old);
	}
	AUTO(spec_free) struct spec *spec = current_spec(f, "other");
	assert_limits_of_0004(spec);
	spec->version = 2;
	spec->pids = 65;
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), 0);
	assert_int_equal(stored->spec->pids, 65);
}

static void metrics_from_before_were_not_measured(void **state)
{
	(void)state;
	pg_scratch_reset_to(pg, 3);
	pg_scratch_exec(pg, "select ensure_metrics_partitions(current_date)");
	insert_as_before_0004("hello", 1);
	pg_scratch_exec(
		pg, "insert into metrics (metric_id, function_id, version, request_id, request_timestamp, "
		    "response_time_ms, queue_ms, init_ms, exec_ms, start_kind, runtime, status, error_flag, "
		    "request_bytes, response_bytes) select gen_random_uuid(), function_id, 1, 'r', current_date, 1, 0, 0, 1, "
		    "'warm', 'docker', 200, false, 2, 3 from functions");
	pg_scratch_migrate_from(pg, 4);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from metrics where cpu_ms is null and memory_peak_bytes is "
					       "null and exec_ms = 1"),
			 1);
	pg_scratch_exec(
		pg, "update metrics set cpu_ms = 1.5, memory_peak_bytes = 4096"); /* the old partition has these columns too */
	pg_scratch_exec(pg, "select ensure_metrics_partitions(current_date + 1)");
	assert_int_equal(pg_scratch_number(pg, "select count(*) from information_schema.columns "
					       "where column_name = 'memory_peak_bytes' and table_name like 'metrics_%%'"),
			 pg_scratch_number(pg, "select count(*) from pg_inherits where inhparent = 'metrics'::regclass"));
}

static void a_version_that_leaves_out_a_limit_is_refused(void **state)
{
	static const char *const columns[] = {"init_timeout_ms", "tmp_inodes", "pids",     "nofile",
					      "response_bytes",  "log_bytes",  "isolation"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		assert_int_equal(pg_scratch_number(pg,
						   "select count(*) from information_schema.columns where table_name = "
						   "'function_versions' and column_name = '%s' and is_nullable = 'NO' and "
						   "column_default is null",
						   columns[i]),
				 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MIGRATED_TEST(nonsense_is_refused_by_the_database),
		MIGRATED_TEST(a_limit_may_be_what_any_configuration_allows_and_no_more),
		MIGRATED_TEST(as_many_sandboxes_are_kept_warm_as_a_function_may_have_and_no_more),
		MIGRATED_TEST(an_isolation_nobody_knows_is_refused),
		MIGRATED_TEST(versions_from_before_have_the_limits_that_were_everybodys),
		MIGRATED_TEST(metrics_from_before_were_not_measured),
		MIGRATED_TEST(a_version_that_leaves_out_a_limit_is_refused),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
