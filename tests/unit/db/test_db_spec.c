#include "db/db_spec.h"

#include "base/buf.h"
#include "base/mem.h"
#include "db/db.h"
#include "tests/support/pg_scratch.h"
#include "tests/unit/unit.h"

#define F "0198c0de-0000-7000-8000-000000000001"

static struct pg_scratch *pg;
static struct conf *conf;
static struct db *db;

static int start_postgres(void **state)
{
	(void)state;
	pg = pg_scratch_new();
	pg_scratch_reset(pg);
	conf = pg_scratch_conf(pg);
	db = db_new(conf, "test");
	return 0;
}

static int stop_postgres(void **state)
{
	(void)state;
	db_free(&db);
	conf_free(&conf);
	pg_scratch_free(&pg);
	return 0;
}

static int empty(void **state)
{
	(void)state;
	pg_scratch_exec(pg, "begin; delete from function_versions; delete from functions; delete from packages; commit");
	return 0;
}

/* Every number is another one, and every text, but for what the schema checks. */
static struct spec *sample(int version)
{
	struct spec *spec = spec_new();

	for (int i = 0; i < SPEC_MEMBERS; i++) {
		void *member = (char *)spec + spec_members[i].offset;
		if (spec_members[i].kind == SPEC_INT)
			*(int64_t *)member = 100 + i;
		if (spec_members[i].kind == SPEC_STR) {
			free(*(char **)member);
			*(char **)member = mem_printf("text-%d", i);
		}
	}
	free(spec->function_id);
	free(spec->network);
	free(spec->isolation);
	free(spec->package_sha256);
	spec->function_id = mem_strdup(F);
	spec->network = mem_strdup("egress");
	spec->isolation = mem_strdup("per_invocation");
	spec->package_sha256 = pg_scratch_value(pg, "select encode(sha256('x'), 'hex')");
	spec->version = version;
	spec->min_warm = 1;
	json_object_set_new(spec->environment, "GREETING", json_string("h\xc3\xa9llo \"\\"));
	return spec;
}

static const struct db_statement package_put = {
	.name = "package_put",
	.sql = "insert into packages (archive, size, sha256) values ('x', 1, $1) on conflict do nothing",
	.param_count = 1,
};
static const struct db_statement function_put = {
	.name = "function_put",
	.sql = "insert into functions (function_id, name, version) values ('" F "', $1, $2) "
	       "on conflict (function_id) do update set version = excluded.version",
	.param_count = 2,
};
static const struct db_statement no_row = {
	.name = "no_row",
	.sql = "select u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u, u "
	       "from (values ('{')) v (u)",
};

/* With the rows that a version needs; what is stored is the caller's. */
static struct spec *stored(int version)
{
	struct spec *spec = sample(version);
	json_t *json = spec_to_json(spec);
	AUTO(mem_free) char *text = json_dumps(json, 0);
	struct err err;

	json_decref(json);
	assert_ok(db_begin(db, &err));
	assert_ok(db_run(db, &package_put, (struct db_param[]){db_text(spec->package_sha256)}, NULL, &err));
	assert_ok(db_run(db, &function_put, (struct db_param[]){db_text(spec->name), db_int(version)}, NULL, &err));
	assert_ok(db_run(db, &db_spec_insert, (struct db_param[]){db_text(text)}, NULL, &err));
	assert_ok(db_commit(db, &err));
	return spec;
}

static struct spec *found(const char *ref, int version)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	struct spec *spec = NULL;
	struct err err;

	assert_ok(db_run(db, &db_spec_get, (struct db_param[]){db_text(ref), db_int(version)}, &r, &err));
	if (PQntuples(r) == 0)
		return NULL;
	assert_int_equal(PQntuples(r), 1);
	assert_string_equal(PQgetvalue(r, 0, DB_SPEC_STATUS), "active");
	assert_string_equal(PQfname(r, SPEC_MEMBERS - 1), spec_members[SPEC_MEMBERS - 1].name);
	assert_true(strtoll(PQgetvalue(r, 0, DB_SPEC_UPDATED_AT_US), NULL, 10) >=
		    strtoll(PQgetvalue(r, 0, DB_SPEC_CREATED_AT_US), NULL, 10));
	assert_ok(db_spec_from_row(r, 0, &spec, &err));
	return spec;
}

static void assert_same(const struct spec *spec, const struct spec *wanted)
{
	AUTO(json_decrefp) json_t *one = spec_to_json(spec);
	AUTO(json_decrefp) json_t *other = spec_to_json(wanted);
	AUTO(mem_free) char *text = json_dumps(one, 0);
	AUTO(mem_free) char *other_text = json_dumps(other, 0);

	if (!json_equal(one, other))
		fail_msg("not %s but %s", other_text, text);
}

static void every_member_comes_back_as_it_was_stored(void **state)
{
	AUTO(spec_free) struct spec *first = stored(1);
	AUTO(spec_free) struct spec *second = stored(2);
	AUTO(spec_free) struct spec *by_name = found(first->name, 1);
	AUTO(spec_free) struct spec *by_id = found(F, 2);
	AUTO(spec_free) struct spec *current = found(F, 0);

	(void)state;
	assert_same(by_name, first);
	assert_same(by_id, second);
	assert_same(current, second);
	assert_null(found(F, 3));
	assert_null(found("nobody", 0));
}

static void a_list_has_every_member_but_what_is_in_objects(void **state)
{
	AUTO(spec_free) struct spec *spec = stored(1);
	AUTO(spec_free) struct spec *listed = NULL;
	AUTO(db_result_clear) PGresult *r = NULL;
	struct err err;

	(void)state;
	assert_ok(db_run(db, &db_spec_list, (struct db_param[]){db_int(10), db_uuid(NULL)}, &r, &err));
	assert_int_equal(PQntuples(r), 1);
	assert_ok(db_spec_from_row(r, 0, &listed, &err));
	json_object_clear(spec->environment);
	assert_same(listed, spec);
	assert_string_equal(PQgetvalue(r, 0, DB_SPEC_STATUS), "active");
}

static void an_object_that_is_none_is_an_error(void **state)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	struct spec *spec = NULL;
	struct err err;

	(void)state;
	assert_ok(db_run(db, &no_row, NULL, &r, &err));
	assert_fails(db_spec_from_row(r, 0, &spec, &err), "is no JSON");
	assert_null(spec);
}

/* A row without a column, or a column without a row: a migration is missing, or a row of ipc/function.def. */
static void the_rows_and_the_columns_are_the_same(void **state)
{
	AUTO(buf_free) struct buf rows = {0};

	(void)state;
#define STORED_functions(member)
#define STORED_function_versions(member)                buf_add_str(&rows, ", '" #member "'");
#define FUNCTION_GIVEN(field, member, ...)              STORED_function_versions(member)
#define FUNCTION_FIELD(field, member, kind, table, ...) STORED_##table(member)
#include "ipc/function.def"
	AUTO(mem_free)
	char *differ = pg_scratch_value(
		pg,
		"select coalesce(string_agg(coalesce(column_name, r), ' '), '') from (select column_name::text "
		"from information_schema.columns where table_schema = 'public' and table_name = 'function_versions') c "
		"full join unnest(array['created_at'%s]) r on r = column_name where r is null or column_name is null",
		buf_str(&rows));
	assert_string_equal(differ, "");
}

/* The poolmgr of the berthd before looks for versions in that way, for as long as an upgrade takes. */
static void who_still_asks_with_function_spec_is_answered(void **state)
{
	AUTO(spec_free) struct spec *spec = stored(1);

	(void)state;
	assert_int_equal(pg_scratch_number(pg, "select (function_spec('%s', 0)->>'pids')::integer", spec->name), spec->pids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup(name, empty)
		TEST(every_member_comes_back_as_it_was_stored),
		TEST(a_list_has_every_member_but_what_is_in_objects),
		TEST(an_object_that_is_none_is_an_error),
		TEST(the_rows_and_the_columns_are_the_same),
		TEST(who_still_asks_with_function_spec_is_answered),
#undef TEST
	};

	return cmocka_run_group_tests(tests, start_postgres, stop_postgres);
}
