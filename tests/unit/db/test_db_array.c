#include "db/db_array.h"

#include "tests/unit/db/db_rig.h"
#include "tests/unit/unit.h"

/* The elements as PostgreSQL sees them, with a bar between two. */
static void assert_is(struct fixture *f, const struct db_param *elements, size_t count, const char *expected)
{
	static const struct db_statement join = {
		.name = "join",
		.sql = "select coalesce(string_agg(coalesce(e, 'nothing'), '|' order by i), 'no element') "
		       "from unnest($1::text[]) with ordinality a(e, i)",
		.param_count = 1,
	};
	AUTO(db_array_free) struct db_array array = {0};
	AUTO(db_result_clear) PGresult *r = NULL;

	for (size_t i = 0; i < count; i++)
		db_array_add(&array, &elements[i]);
	const struct db_param param = db_array_param(&array);
	assert_int_equal(db_run(f->db, &join, &param, &r, &f->err), 0);
	assert_string_equal(PQgetvalue(r, 0, 0), expected);
}

static void elements_come_as_they_are(void **state)
{
	const struct db_param elements[] = {db_text("a"),    db_text("{\"x\\,y\"}"), db_text(NULL), db_text(""),
					    db_text("null"), db_text("\\"),          db_int(-5),    db_bool(true)};

	assert_is(*state, elements, 0, "no element");
	assert_is(*state, elements, 1, "a");
	assert_is(*state, elements, ARRAY_SIZE(elements), "a|{\"x\\,y\"}|nothing||null|\\|-5|t");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(elements_come_as_they_are),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
