#include "db/db_functions.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/support/pg_proxy.h"
#include "tests/support/pg_scratch.h"

static struct pg_scratch *pg;

struct fixture {
	struct conf *conf;
	struct pg_proxy proxy;
	struct db *db;
	struct err err;
};

static int start_postgres(void **state)
{
	(void)state;
	pg = pg_scratch_new();
	return 0;
}

static int stop_postgres(void **state)
{
	(void)state;
	pg_scratch_free(&pg);
	return 0;
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	pg_scratch_reset(pg);
	f->conf = pg_scratch_conf(pg);
	f->db = db_new(f->conf, "test");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	db_free(&f->db);
	pg_proxy_end(&f->proxy);
	conf_free(&f->conf);
	mem_free(&f);
	return 0;
}

static char *sha256_of(const char *archive)
{
	unsigned char hash[crypto_hash_sha256_BYTES];
	char *hex = mem_alloc(2 * sizeof(hash) + 1);

	crypto_hash_sha256(hash, (const unsigned char *)archive, strlen(archive));
	return sodium_bin2hex(hex, 2 * sizeof(hash) + 1, hash, sizeof(hash));
}

static void set(char **member, const char *text)
{
	free(*member);
	*member = mem_strdup(text);
}

static struct spec *make_spec(const char *name, const char *archive)
{
	struct spec *s = spec_new();
	struct uuid id = uuid_new();
	char text[UUID_TEXT_SIZE];

	uuid_format(&id, text);
	set(&s->function_id, text);
	set(&s->name, name);
	s->version = 1;
	set(&s->language, "python");
	set(&s->runtime, "docker");
	set(&s->handler, "main.handler");
	json_object_set_new(s->environment, "GREETING", json_string("h\xc3\xa9llo"));
	s->timeout_ms = 3000;
	s->memory_limit_mb = 128;
	s->cpu_millis = 1000;
	s->init_timeout_ms = 10001;
	s->tmp_mb = 65;
	s->tmp_inodes = 16385;
	s->pids = 66;
	s->nofile = 1025;
	s->response_bytes = 6291457;
	s->log_bytes = 262145;
	set(&s->isolation, "per_invocation");
	set(&s->network, "none");
	s->max_concurrency = 50;
	s->min_warm = 3;
	free(s->package_sha256);
	s->package_sha256 = sha256_of(archive);
	return s;
}

/* Stores a function; its id is what is returned. */
static struct uuid create(struct fixture *f, const char *name, const char *archive)
{
	AUTO(spec_free) struct spec *spec = make_spec(name, archive);
	AUTO(db_function_free) struct db_function *stored = NULL;
	struct uuid id;

	assert_int_equal(db_function_create(f->db, spec, archive, strlen(archive), &stored, &f->err), 0);
	assert_true(uuid_parse(stored->spec->function_id, &id));
	return id;
}

static struct spec *current_spec(struct fixture *f, const char *ref)
{
	struct spec *spec = NULL;

	assert_int_equal(db_function_spec(f->db, ref, 0, &spec, &f->err), 0);
	return spec;
}

static long packages(void)
{
	return pg_scratch_number(pg, "select count(*) from packages");
}

static void a_function_comes_back_as_it_was_stored(void **state)
{
	struct fixture *f = *state;
	AUTO(spec_free) struct spec *spec = make_spec("hello", "code");
	AUTO(db_function_free) struct db_function *stored = NULL, *by_id = NULL, *by_name = NULL;

	assert_int_equal(db_function_create(f->db, spec, "code", 4, &stored, &f->err), 0);
	assert_string_equal(stored->status, "active");
	assert_in_range(clock_wall_us() - stored->created_at_us, 0, 60000000);
	assert_int_equal(stored->updated_at_us, stored->created_at_us);
	assert_int_equal(db_function_get(f->db, "hello", &by_name, &f->err), 0);
	assert_int_equal(db_function_get(f->db, spec->function_id, &by_id, &f->err), 0);

	json_t *wanted = spec_to_json(spec), *one = spec_to_json(by_id->spec), *other = spec_to_json(by_name->spec);
	assert_true(json_equal(wanted, one));
	assert_true(json_equal(wanted, other));
	json_decref(wanted);
	json_decref(one);
	json_decref(other);
}

static void a_name_can_be_taken_once(void **state)
{
	struct fixture *f = *state;
	AUTO(spec_free) struct spec *again = make_spec("hello", "other code");
	AUTO(db_function_free) struct db_function *stored = NULL;

	create(f, "hello", "code");
	assert_int_equal(db_function_create(f->db, again, "other code", 10, &stored, &f->err), -1);
	assert_int_equal(f->err.code, EEXIST);
	assert_string_equal(f->err.msg, "there is a function named 'hello' already");
	assert_null(stored);
	assert_int_equal(packages(), 1);
}

static void an_update_makes_a_new_version_and_keeps_the_old_one(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;
	AUTO(spec_free) struct spec *old = NULL;

	create(f, "hello", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "hello");
	spec->version = 2;
	spec->timeout_ms = 9000;
	mem_free(&spec->name);
	spec->name = mem_strdup("renamed");
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), 0);
	assert_int_equal(stored->spec->version, 2);
	assert_string_equal(stored->spec->name, "renamed");
	assert_int_equal(db_function_spec(f->db, "renamed", 1, &old, &f->err), 0);
	assert_int_equal(old->timeout_ms, 3000);
	assert_int_equal(db_function_spec(f->db, "renamed", 3, &old, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
	assert_int_equal(db_function_spec(f->db, "hello", 0, &old, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
}

static void an_update_of_another_version_than_the_current_one_is_stale(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;

	create(f, "hello", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "hello");
	spec->version = 3;
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), -1);
	assert_int_equal(f->err.code, ESTALE);
	spec->version = 2;
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), 0);
	db_function_free(&stored);
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), -1);
	assert_int_equal(f->err.code, ESTALE);
}

static void an_update_cannot_take_the_name_of_another_function(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;

	create(f, "hello", "code");
	create(f, "other", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "other");
	spec->version = 2;
	mem_free(&spec->name);
	spec->name = mem_strdup("hello");
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), -1);
	assert_int_equal(f->err.code, EEXIST);
}

static void an_update_needs_a_package_that_is_there(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;

	create(f, "hello", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "hello");
	spec->version = 2;
	mem_free(&spec->package_sha256);
	spec->package_sha256 = sha256_of("nowhere");
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
	assert_int_equal(db_function_update(f->db, spec, "not that", 8, &stored, &f->err), -1);
	assert_int_equal(f->err.code, EINVAL);
	assert_int_equal(db_function_update(f->db, spec, "nowhere", 7, &stored, &f->err), 0);
	assert_int_equal(packages(), 2);
}

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
	assert_int_equal(packages(), 0);
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
		assert_string_equal(old->runtime, "docker"); /* the default is another one now */
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
	pg_scratch_exec(pg, "update metrics set cpu_ms = 1.5, memory_peak_bytes = 4096"); /* the old partition has them */
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

static void functions_are_listed_page_by_page(void **state)
{
	struct fixture *f = *state;
	struct uuid ids[5], gone;
	AUTO(db_function_free) struct db_function *page = NULL;

	for (int i = 0; i < 5; i++) {
		char name[] = {'f', (char)('0' + i), '\0'};
		ids[i] = create(f, name, "code");
		usleep(2000); /* ids sort by the millisecond */
	}
	assert_int_equal(db_function_delete(f->db, "f1", -1, &gone, &f->err), 0);
	assert_int_equal(db_function_list(f->db, 2, NULL, &page, &f->err), 0);
	assert_string_equal(page->spec->name, "f0");
	assert_int_equal(json_object_size(page->spec->environment), 0);
	assert_string_equal(page->next->spec->name, "f2");
	assert_null(page->next->next);
	db_function_free(&page);
	assert_int_equal(db_function_list(f->db, 10, &ids[2], &page, &f->err), 0);
	assert_string_equal(page->spec->name, "f3");
	assert_string_equal(page->next->spec->name, "f4");
	db_function_free(&page);
	assert_int_equal(db_function_list(f->db, 10, &ids[4], &page, &f->err), 0);
	assert_null(page);
}

static void a_deleted_function_is_gone_and_its_name_free(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *found = NULL;
	struct uuid id = create(f, "hello", "code"), gone;
	char text[UUID_TEXT_SIZE];

	uuid_format(&id, text);
	assert_int_equal(db_function_delete(f->db, "hello", 2, &gone, &f->err), -1);
	assert_int_equal(f->err.code, ESTALE);
	assert_int_equal(db_function_delete(f->db, "hello", 1, &gone, &f->err), 0);
	assert_memory_equal(&gone, &id, sizeof(id));
	assert_int_equal(db_function_get(f->db, text, &found, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
	assert_int_equal(db_function_delete(f->db, text, -1, &gone, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
	assert_int_equal(packages(), 0);
	create(f, "hello", "code");
	AUTO(mem_free) char *name = pg_scratch_value(pg, "select name from functions where function_id = '%s'", text);
	assert_string_equal(name, "hello");
}

static void a_package_stays_as_long_as_any_function_uses_it(void **state)
{
	struct fixture *f = *state;
	struct uuid gone;
	AUTO(mem_free) char *sha = sha256_of("shared");
	AUTO(mem_free) void *archive = NULL;
	size_t len = 0;

	create(f, "one", "shared");
	create(f, "two", "shared");
	assert_int_equal(packages(), 1);
	assert_int_equal(db_function_delete(f->db, "one", -1, &gone, &f->err), 0);
	assert_int_equal(db_package_get(f->db, sha, &archive, &len, &f->err), 0);
	assert_int_equal(len, 6);
	assert_memory_equal(archive, "shared", 6);
	assert_int_equal(db_function_delete(f->db, "two", -1, &gone, &f->err), 0);
	mem_free(&archive);
	assert_int_equal(db_package_get(f->db, sha, &archive, &len, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
}

/* A second client, which has to wait for what the test has not committed yet. */
struct rival {
	struct fixture *f;
	pthread_t thread;
	bool deletes; /* else creates */
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

	create(f, "victim", "shared");
	create(f, "bystander", "else");
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

	create(f, "victim", "shared");
	pg_scratch_exec(pg, "begin");
	pg_scratch_exec(pg, "select delete_function_versions(function_id_of('victim'))");
	pg_scratch_exec(pg, "update functions set status = 'deleted', version = null where name = 'victim'");
	start_rival(&rival);
	pg_scratch_exec(pg, "commit");
	pthread_join(rival.thread, NULL);
	assert_int_equal(rival.rc, 0);
	assert_int_equal(packages(), 1);
}

static void a_deploy_keeps_a_package_it_found_until_its_version_is_there(void **state)
{
	struct fixture *f = *state;
	struct rival rival = {.f = f};
	AUTO(mem_free) char *sha = sha256_of("shared");

	create(f, "owner", "shared");
	pg_scratch_exec(pg, "create function pause() returns trigger language plpgsql as "
			    "$$ begin perform pg_advisory_xact_lock(1); return new; end $$; "
			    "create trigger pause before insert on function_versions for each row execute function pause(); "
			    "select pg_advisory_lock(1)");
	start_rival(&rival); /* it has the package and is about to store the version */
	assert_int_equal(pg_scratch_number(pg,
					   "select count(*) from (select from packages where sha256 = '%s' "
					   "for update skip locked) as not_locked",
					   sha),
			 0);
	pg_scratch_exec(pg, "select pg_advisory_unlock(1)");
	pthread_join(rival.thread, NULL);
	assert_int_equal(rival.rc, 0);
}

static void next_notice(PGconn *conn, const char *id, int version)
{
	AUTO(mem_free) char *wanted = mem_printf("{\"function_id\":\"%s\",\"version\":%d}", id, version);
	PGresult *r = PQexec(conn, "select 1"); /* takes in what is there */

	PQclear(r);
	PGnotify *n = PQnotifies(conn);
	assert_non_null(n);
	assert_string_equal(n->relname, "berth_functions");
	assert_string_equal(n->extra, wanted);
	PQfreemem(n);
}

static void every_change_of_the_current_version_is_notified(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;
	struct uuid gone;
	PGconn *listener = PQconnectdb(f->conf->database_conninfo);

	PQclear(PQexec(listener, "listen berth_functions"));
	create(f, "hello", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "hello");
	next_notice(listener, spec->function_id, 1);
	spec->version = 2;
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), 0);
	next_notice(listener, spec->function_id, 2);
	assert_int_equal(db_function_delete(f->db, "hello", -1, &gone, &f->err), 0);
	next_notice(listener, spec->function_id, 0);
	PQfinish(listener);
}

static void what_min_warm_keeps_ready_is_added_up_of_current_versions(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;
	int64_t sandboxes, memory_mb;
	struct uuid gone;

	assert_int_equal(db_functions_warm(f->db, NULL, &sandboxes, &memory_mb, &f->err), 0);
	assert_int_equal(sandboxes + memory_mb, 0);
	create(f, "three", "code");
	create(f, "changed", "code");
	create(f, "deleted", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "changed");
	spec->version = 2;
	spec->min_warm = 2;
	spec->memory_limit_mb = 200;
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), 0);
	assert_int_equal(db_function_delete(f->db, "deleted", -1, &gone, &f->err), 0);
	assert_int_equal(db_functions_warm(f->db, NULL, &sandboxes, &memory_mb, &f->err), 0);
	assert_int_equal(sandboxes, 3 + 2);
	assert_int_equal(memory_mb, 3 * 128 + 2 * 200);
	assert_int_equal(db_functions_warm(f->db, spec->function_id, &sandboxes, &memory_mb, &f->err), 0);
	assert_int_equal(sandboxes, 3);
	assert_int_equal(memory_mb, 3 * 128);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* From now on f->db loses its connection at the next commit. */
static void lose_commit(struct fixture *f, enum pg_proxy_cut cut)
{
	db_free(&f->db);
	pg_proxy_end(&f->proxy);
	conf_free(&f->conf);
	f->conf = pg_scratch_conf(pg);
	pg_proxy_start(&f->proxy, f->conf, cut);
	f->db = db_new(f->conf, "test");
}

static const struct {
	enum pg_proxy_cut cut;
	int code; /* of the failure; 0: it was done */
	bool done;
} lost_commits[] = {
	{PG_PROXY_BEFORE, ENOTCONN, false},
	{PG_PROXY_AFTER, 0, true},
	{PG_PROXY_LATE, 0, true}, /* it is waited for */
	{PG_PROXY_GONE, EINPROGRESS, true},
};

static int code_of(const struct fixture *f, int rc)
{
	return rc == 0 ? 0 : f->err.code;
}

static void a_creation_whose_commit_was_lost_is_told_as_what_became_of_it(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lost_commits); i++) {
		AUTO(mem_free) char *name = mem_printf("f%zu", i);
		AUTO(spec_free) struct spec *spec = make_spec(name, "code");
		AUTO(db_function_free) struct db_function *stored = NULL;
		lose_commit(f, lost_commits[i].cut);
		assert_int_equal(code_of(f, db_function_create(f->db, spec, "code", 4, &stored, &f->err)),
				 lost_commits[i].code);
		assert_int_equal(stored != NULL, lost_commits[i].code == 0);
		assert_int_equal(pg_scratch_number(pg, "select count(*) from functions where name = '%s'", name),
				 lost_commits[i].done);
	}
}

static void an_update_whose_commit_was_lost_is_told_as_what_became_of_it(void **state)
{
	struct fixture *f = *state;

	create(f, "hello", "code");
	for (size_t i = 0; i < ARRAY_SIZE(lost_commits); i++) {
		AUTO(db_function_free) struct db_function *stored = NULL;
		lose_commit(f, lost_commits[i].cut);
		AUTO(spec_free) struct spec *spec = current_spec(f, "hello");
		int64_t before = spec->version++;
		spec->timeout_ms = 1000 + (int64_t)i;
		assert_int_equal(code_of(f, db_function_update(f->db, spec, NULL, 0, &stored, &f->err)), lost_commits[i].code);
		assert_int_equal(stored != NULL, lost_commits[i].code == 0);
		assert_int_equal(pg_scratch_number(pg, "select version from functions where name = 'hello'"),
				 before + lost_commits[i].done);
	}
}

static void a_deletion_whose_commit_was_lost_is_told_as_what_became_of_it(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lost_commits); i++) {
		AUTO(mem_free) char *name = mem_printf("f%zu", i);
		struct uuid id;
		lose_commit(f, PG_PROXY_BEFORE);
		AUTO(spec_free) struct spec *spec = make_spec(name, "code");
		AUTO(db_function_free) struct db_function *stored = NULL;
		assert_int_equal(db_function_create(f->db, spec, "code", 4, &stored, &f->err),
				 -1); /* that was the one it loses */
		assert_int_equal(db_function_create(f->db, spec, "code", 4, &stored, &f->err), 0);
		lose_commit(f, lost_commits[i].cut);
		assert_int_equal(code_of(f, db_function_delete(f->db, name, -1, &id, &f->err)), lost_commits[i].code);
		assert_int_equal(
			pg_scratch_number(pg, "select count(*) from functions where name = '%s' and status = 'deleted'", name),
			lost_commits[i].done);
	}
}

struct update {
	struct db *db;
	struct spec *spec;
	int rc;
};

/* Updates once the other one waits to read back, and then lets it. */
static void *update_before_it_is_read(void *arg)
{
	AUTO(db_function_free) struct db_function *stored = NULL;
	struct update *u = arg;
	struct err err;

	for (int i = 0; i < 2000; i++) {
		if (pg_scratch_number(pg, "select count(*) from pg_locks where locktype = 'advisory' and not granted") > 0)
			break;
		usleep(5000);
	}
	u->rc = db_function_update(u->db, u->spec, NULL, 0, &stored, &err);
	pg_scratch_exec(pg, "commit");
	return NULL;
}

static void a_version_that_somebody_else_has_stored_since_is_not_taken_for_the_lost_one(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;
	AUTO(conf_free) struct conf *conf = pg_scratch_conf(pg);
	AUTO(db_free) struct db *other = db_new(conf, "other");
	pthread_t thread;

	create(f, "hello", "code");
	AUTO(spec_free) struct spec *mine = current_spec(f, "hello");
	AUTO(spec_free) struct spec *theirs = current_spec(f, "hello");
	mine->version = theirs->version = 2;
	mine->timeout_ms = 1111;
	theirs->timeout_ms = 2222;
	lose_commit(f, PG_PROXY_BEFORE);
	pg_scratch_exec(pg, "begin");
	pg_scratch_exec(pg, "select pg_advisory_xact_lock(hashtextextended('%s', 0))", mine->function_id);
	struct update update = {other, theirs, -1};
	assert_int_equal(pthread_create(&thread, NULL, update_before_it_is_read, &update), 0);
	int rc = db_function_update(f->db, mine, NULL, 0, &stored, &f->err);
	pthread_join(thread, NULL);
	assert_int_equal(update.rc, 0);
	assert_int_equal(rc, -1);
	assert_int_equal(f->err.code, ENOTCONN);
	assert_null(stored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_function_comes_back_as_it_was_stored),
		TEST(a_name_can_be_taken_once),
		TEST(an_update_makes_a_new_version_and_keeps_the_old_one),
		TEST(an_update_of_another_version_than_the_current_one_is_stale),
		TEST(an_update_cannot_take_the_name_of_another_function),
		TEST(an_update_needs_a_package_that_is_there),
		TEST(nonsense_is_refused_by_the_database),
		TEST(a_limit_may_be_what_any_configuration_allows_and_no_more),
		TEST(as_many_sandboxes_are_kept_warm_as_a_function_may_have_and_no_more),
		TEST(an_isolation_nobody_knows_is_refused),
		TEST(versions_from_before_have_the_limits_that_were_everybodys),
		TEST(metrics_from_before_were_not_measured),
		TEST(a_version_that_leaves_out_a_limit_is_refused),
		TEST(functions_are_listed_page_by_page),
		TEST(what_min_warm_keeps_ready_is_added_up_of_current_versions),
		TEST(a_deleted_function_is_gone_and_its_name_free),
		TEST(a_package_stays_as_long_as_any_function_uses_it),
		TEST(a_deletion_waits_for_a_deploy_of_its_package_and_leaves_it),
		TEST(a_deploy_waits_for_a_deletion_of_its_package_and_stores_it_again),
		TEST(a_deploy_keeps_a_package_it_found_until_its_version_is_there),
		TEST(every_change_of_the_current_version_is_notified),
		TEST(a_creation_whose_commit_was_lost_is_told_as_what_became_of_it),
		TEST(an_update_whose_commit_was_lost_is_told_as_what_became_of_it),
		TEST(a_deletion_whose_commit_was_lost_is_told_as_what_became_of_it),
		TEST(a_version_that_somebody_else_has_stored_since_is_not_taken_for_the_lost_one),
	};

	return cmocka_run_group_tests(tests, start_postgres, stop_postgres);
}
