/* poolmgr's connection to PostgreSQL, against a real one. */
#include "tests/unit/poolmgr/rig.h"

#include <errno.h>

#include "base/mem.h"
#include "poolmgr/catalog/store.h"
#include "tests/support/pg_scratch.h"
#include "tests/unit/poolmgr/archives.h"
#include "tests/unit/poolmgr/slow_store.h"

#define F "0198c0de-0000-7000-8000-000000000001"

static struct pg_scratch *pg;
static struct conf *conf;
static int changes, connects;
static char changed_id[64];
static int64_t changed_version;

static void on_changed(const char *function_id, int64_t version)
{
	snprintf(changed_id, sizeof(changed_id), "%s", function_id);
	changed_version = version;
	changes++;
}

static void on_connected(void)
{
	connects++;
}

struct outcome {
	int calls, code;
	char msg[512];
	struct buf data;
	struct spec *spec;
	bool found;
};

static void take_answer(struct outcome *o, const struct err *err, bool found)
{
	o->calls++;
	o->code = err ? err->code : 0;
	if (err != NULL)
		snprintf(o->msg, sizeof(o->msg), "%s", err->msg);
	o->found = found;
}

static void on_answer(const struct err *err, const char *data, size_t len, void *arg)
{
	struct outcome *o = arg;

	take_answer(o, err, data != NULL);
	buf_reset(&o->data);
	if (data != NULL)
		buf_add(&o->data, data, len);
}

static void on_spec(const struct err *err, struct spec *spec, void *arg)
{
	struct outcome *o = arg;

	take_answer(o, err, spec != NULL);
	spec_free(&o->spec);
	o->spec = spec;
}

static void outcome_free(struct outcome *o)
{
	buf_free(&o->data);
	spec_free(&o->spec);
}

static struct outcome look_up(const char *ref, uint32_t version)
{
	struct outcome o = {0};

	store_lookup(ref, version, on_spec, &o);
	assert_int_equal(o.calls, 0); /* never from within the call */
	WAIT_FOR(o.calls > 0);
	return o;
}

/* Two versions of one function; the package has bytes of every kind. */
static void store_function(void)
{
	pg_scratch_exec(
		pg,
		"begin;"
		"insert into packages (archive, size, sha256) select a, length(a), encode(sha256(a), 'hex')"
		" from (values ('\\x00ff0a00'::bytea)) v (a);"
		"insert into functions (function_id, name, version) values ('" F "', 'greet', 2);"
		"insert into function_versions (function_id, version, language, runtime, handler, environment, timeout_ms,"
		" init_timeout_ms, memory_limit_mb, cpu_millis, tmp_mb, tmp_inodes, pids, nofile, response_bytes, log_bytes,"
		" network, isolation, max_concurrency, min_warm, package_sha256)"
		" select '" F
		"', v, 'alpha', 'docker', 'main.handler', '{\"A\": \"b\"}', 3000, 10000, 128, 1000, 64, 16384, 64,"
		" 1024, 1000, 1000, 'none', 'per_function', 50, 0,"
		" sha256 from packages, generate_series(1, 2) v;"
		"commit");
}

static void assert_spec(const struct outcome *o, int version)
{
	assert_int_equal(o->code, 0);
	assert_true(o->found);
	assert_string_equal(o->spec->function_id, F);
	assert_string_equal(o->spec->name, "greet");
	assert_int_equal(o->spec->version, version);
	assert_int_equal(o->spec->nofile, 1024);
	assert_string_equal(json_string_value(json_object_get(o->spec->environment, "A")), "b");
}

static void a_version_is_found_by_name_by_id_and_by_number(void **state)
{
	AUTO(outcome_free) struct outcome by_name = look_up("greet", 0);
	AUTO(outcome_free) struct outcome by_id = look_up(F, 0);
	AUTO(outcome_free) struct outcome numbered = look_up("greet", 1);

	(void)state;
	assert_spec(&by_name, 2);
	assert_spec(&by_id, 2);
	assert_spec(&numbered, 1);
}

static void what_is_not_stored_is_no_error(void **state)
{
	static const struct {
		const char *ref;
		uint32_t version;
	} absent[] = {{"nobody", 0}, {"greet", 3}, {"0198c0de-0000-7000-8000-00000000ffff", 0}, {"", 0}, {"gre' or '1'='1", 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(absent); i++) {
		AUTO(outcome_free) struct outcome o = look_up(absent[i].ref, absent[i].version);
		assert_int_equal(o.code, 0);
		assert_false(o.found);
	}
	struct outcome package = {0};
	store_package("00", on_answer, &package);
	WAIT_FOR(package.calls > 0);
	assert_int_equal(package.code, 0);
	assert_false(package.found);
}

static void a_package_comes_byte_for_byte(void **state)
{
	AUTO(mem_free) char *sha256 = pg_scratch_value(pg, "select sha256 from packages");
	AUTO(outcome_free) struct outcome o = {0};

	(void)state;
	store_package(sha256, on_answer, &o);
	WAIT_FOR(o.calls > 0);
	assert_int_equal(o.data.len, 4);
	assert_memory_equal(o.data.data, "\x00\xff\x0a\x00", 4);
}

static void a_package_of_megabytes_comes_whole(void **state)
{
	AUTO(outcome_free) struct outcome o = {0};

	(void)state;
	pg_scratch_exec(pg, "insert into packages (archive, size, sha256) select a, length(a), encode(sha256(a), 'hex')"
			    " from (select convert_to(repeat('0123456789abcdef', 524288), 'UTF8') a) v");
	AUTO(mem_free) char *sha256 = pg_scratch_value(pg, "select sha256 from packages where size > 1000");
	store_package(sha256, on_answer, &o);
	WAIT_FOR(o.calls > 0);
	assert_int_equal(o.data.len, 8 << 20);
	char hash[SHA256_TEXT_SIZE];
	archive_hash(&o.data, hash);
	assert_string_equal(hash, sha256);
}

static void many_questions_are_answered_in_their_order(void **state)
{
	struct outcome o[50] = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		store_lookup(i % 2 ? "greet" : "nobody", 0, on_spec, &o[i]);
	WAIT_FOR(o[ARRAY_SIZE(o) - 1].calls > 0);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++) {
		assert_int_equal(o[i].calls, 1);
		assert_int_equal(o[i].found, i % 2);
		outcome_free(&o[i]);
	}
}

static void a_refusal_is_told_in_words_and_the_connection_goes_on(void **state)
{
	AUTO(outcome_free) struct outcome bad = look_up("\xff\xfe", 0); /* no UTF-8 */
	AUTO(outcome_free) struct outcome good = look_up("greet", 0);

	(void)state;
	assert_int_equal(bad.code, ENOTCONN);
	assert_non_null(strstr(bad.msg, "PostgreSQL: invalid byte sequence"));
	assert_null(strchr(bad.msg, '\n'));
	assert_spec(&good, 2);
	assert_true(store_is_up());
	assert_int_equal(connects, 0);
}

static void changes_are_heard_of(void **state)
{
	(void)state;
	pg_scratch_exec(pg, "update functions set version = 1 where function_id = '" F "'");
	WAIT_FOR(changes == 1);
	assert_string_equal(changed_id, F);
	assert_int_equal(changed_version, 1);
	pg_scratch_exec(pg, "update functions set version = null, status = 'deleted' where function_id = '" F "'");
	WAIT_FOR(changes == 2);
	assert_int_equal(changed_version, 0);
	pg_scratch_exec(pg, "update functions set version = 2, status = 'active' where function_id = '" F "'");
	WAIT_FOR(changes == 3);
	assert_int_equal(changed_version, 2);
}

static void notifications_that_make_no_sense_are_passed_over(void **state)
{
	(void)state;
	pg_scratch_exec(pg, "select pg_notify('berth_functions', p) from unnest(array['', 'x', '[]', '{}', '7',"
			    " '{\"function_id\": 7}']) p");
	pg_scratch_exec(pg, "select pg_notify('berth_functions', '{\"function_id\": \"last\", \"version\": 9}')");
	WAIT_FOR(changes > 0);
	assert_int_equal(changes, 1);
	assert_string_equal(changed_id, "last");
}

static void a_server_that_goes_is_told_and_one_that_comes_back_found(void **state)
{
	AUTO(outcome_free) struct outcome gone = {0};

	(void)state;
	pg_scratch_stop(pg);
	gone = look_up("greet", 0);
	assert_int_equal(gone.code, ENOTCONN);
	assert_non_null(strstr(gone.msg, "PostgreSQL"));
	WAIT_FOR(!store_is_up());
	WAIT_FOR(strstr(store_problem(), "PostgreSQL cannot be reached: ") != NULL); /* once that was tried */
	assert_null(strchr(store_problem(), '\n'));
	pg_scratch_start(pg);
	WAIT_FOR(store_is_up());
	assert_string_equal(store_problem(), "");
	assert_int_equal(connects, 1);
	AUTO(outcome_free) struct outcome back = look_up("greet", 0);
	assert_spec(&back, 2);
}

static void questions_under_way_when_the_server_goes_are_answered_once(void **state)
{
	struct outcome o[5] = {0};

	(void)state;
	char *definition = slow_store_hang_new(pg);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		store_lookup("greet", 0, on_spec, &o[i]);
	rig_barrier();
	pg_scratch_stop(pg);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++) {
		WAIT_FOR(o[i].calls > 0);
		assert_int_equal(o[i].code, ENOTCONN);
	}
	pg_scratch_start(pg);
	slow_store_cure(pg, &definition);
	WAIT_FOR(store_is_up());
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		assert_int_equal(o[i].calls, 1);
}

static void a_backend_that_is_ended_is_an_outage_of_a_moment(void **state)
{
	(void)state;
	pg_scratch_exec(pg, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'berth poolmgr'");
	WAIT_FOR(connects == 1);
	AUTO(outcome_free) struct outcome o = look_up("greet", 0);
	assert_spec(&o, 2);
}

static void a_server_that_does_not_answer_in_time_is_left(void **state)
{
	AUTO(outcome_free) struct outcome o = {0};

	(void)state;
	conf->database_statement_timeout_ms = 100;
	PGconn *lock = slow_store_lock(conf->database_conninfo);
	o = look_up("greet", 0);
	assert_int_equal(o.code, ENOTCONN);
	assert_non_null(strstr(o.msg, "PostgreSQL stopped answering"));
	PQfinish(lock);
	conf->database_statement_timeout_ms = 5000;
	WAIT_FOR(store_is_up());
	AUTO(outcome_free) struct outcome again = look_up("greet", 0);
	assert_spec(&again, 2);
}

static void a_database_without_its_schema_is_told_and_found_once_it_has_it(void **state)
{
	AUTO(outcome_free) struct outcome o = {0};

	(void)state;
	pg_scratch_exec(pg, "alter table function_versions rename to function_versions_later");
	pg_scratch_exec(pg, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'berth poolmgr'");
	WAIT_FOR(!store_is_up());
	o = look_up("greet", 0);
	assert_int_equal(o.code, ENOTCONN);
	assert_false(store_is_up());
	pg_scratch_exec(pg, "alter table function_versions_later rename to function_versions");
	WAIT_FOR(store_is_up());
}

static int set_up(void **state)
{
	static const struct store_hooks hooks = {on_changed, on_connected};

	(void)state;
	pg = pg_scratch_new();
	pg_scratch_reset(pg);
	store_function();
	conf = pg_scratch_conf(pg);
	rig_start();
	store_init(rig.loop, conf, &hooks);
	WAIT_FOR(store_is_up());
	assert_int_equal(connects, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rig_stop();
	pg_scratch_free(&pg);
	conf_free(&conf);
	return 0;
}

static int each(void **state)
{
	(void)state;
	WAIT_FOR(store_is_up());
	changes = connects = 0;
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, each)
	const struct CMUnitTest tests[] = {
		TEST(a_version_is_found_by_name_by_id_and_by_number),
		TEST(what_is_not_stored_is_no_error),
		TEST(a_package_comes_byte_for_byte),
		TEST(a_package_of_megabytes_comes_whole),
		TEST(many_questions_are_answered_in_their_order),
		TEST(a_refusal_is_told_in_words_and_the_connection_goes_on),
		TEST(changes_are_heard_of),
		TEST(notifications_that_make_no_sense_are_passed_over),
		TEST(a_server_that_goes_is_told_and_one_that_comes_back_found),
		TEST(questions_under_way_when_the_server_goes_are_answered_once),
		TEST(a_backend_that_is_ended_is_an_outage_of_a_moment),
		TEST(a_server_that_does_not_answer_in_time_is_left),
		TEST(a_database_without_its_schema_is_told_and_found_once_it_has_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
