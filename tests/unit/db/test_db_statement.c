#include "db/db_statement.h"

#include <float.h>

#include "tests/unit/db/db_rig.h"
#include "tests/unit/unit.h"

static void values_arrive_as_text_binary_and_null(void **state)
{
	static const struct db_statement get = {
		.name = "get", .sql = "select data from t order by id", .reads = true, .binary = true};
	struct fixture *f = *state;
	AUTO(db_result_clear) PGresult *r = NULL;

	assert_int_equal(db_run(f->db, &insert, (struct db_param[]){db_int(1), db_bytes("a\0b", 3)}, NULL, &f->err), 0);
	assert_int_equal(insert_row(f, "2"), 0);
	assert_int_equal(db_run(f->db, &get, NULL, &r, &f->err), 0);
	assert_int_equal(PQgetlength(r, 0, 0), 3);
	assert_memory_equal(PQgetvalue(r, 0, 0), "a\0b", 3);
	assert_true(PQgetisnull(r, 1, 0));
}

static void a_statement_is_not_compiled_and_planned_for_its_parameters_when_it_says_so(void **state)
{
	static const struct db_statement varying = {
		.name = "varying",
		.sql = "select current_setting('jit') || $1::text || (select count(*) from pg_prepared_statements)",
		.param_count = 1,
		.reads = true,
		.varies = true,
	};
	struct fixture *f = *state;
	AUTO(db_result_clear) PGresult *r = NULL;

	assert_int_equal(db_run(f->db, &varying, (struct db_param[]){db_text("-")}, &r, &f->err), 0);
	assert_string_equal(PQgetvalue(r, 0, 0), "off-0");
}

static void parameters_are_read_as_what_they_are(void **state)
{
	static const struct db_statement read = {
		.name = "read",
		.sql = "select $1::bigint = -9223372036854775808 and $2::integer = 7 and $3::boolean and not $4::boolean "
		       "and $5::timestamptz = '2026-01-31 13:00:00.000042+01' "
		       "and $6::uuid = '0198c0de-0000-7000-8000-00000000000f' and $7::text = '' and $8::text is null "
		       "and $9::uuid is null and $10::text is null "
		       "and $11::double precision = 0.1::double precision and $12::double precision = -1.7976931348623157e308",
		.param_count = 12,
		.reads = true,
	};
	struct fixture *f = *state;
	AUTO(db_result_clear) PGresult *r = NULL;
	struct uuid id;

	assert_true(uuid_parse("0198c0de-0000-7000-8000-00000000000f", &id));
	const struct db_param params[] = {
		db_int(INT64_MIN), db_int(7),         db_bool(true), db_bool(false), db_time(1769860800000042),
		db_uuid(&id),      db_text(""),       db_text(NULL), db_uuid(NULL),  {0},
		db_real(0.1),      db_real(-DBL_MAX),
	};
	assert_int_equal(db_run(f->db, &read, params, &r, &f->err), 0);
	assert_string_equal(PQgetvalue(r, 0, 0), "t");
}

static void what_a_parameter_owns_goes_along_when_it_is_copied(void **state)
{
	struct db_param from = db_int(42), to = from;

	(void)state;
	memset(&from, 'x', sizeof(from));
	assert_string_equal(db_param_value(&to), "42");
	assert_null(db_param_value(&(struct db_param){0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(values_arrive_as_text_binary_and_null),
		DB_TEST(a_statement_is_not_compiled_and_planned_for_its_parameters_when_it_says_so),
		DB_TEST(parameters_are_read_as_what_they_are),
		DB_TEST(what_a_parameter_owns_goes_along_when_it_is_copied),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
