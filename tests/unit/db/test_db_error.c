#include "db/db_error.h"

#include <errno.h>

#include "base/mem.h"
#include "tests/unit/db/db_rig.h"
#include "tests/unit/unit.h"

static void refusals_are_told_apart(void **state)
{
	static const struct db_statement broken = {.name = "broken", .sql = "select from nowhere"};
	struct fixture *f = *state;

	assert_int_equal(insert_row(f, "1"), 0);
	assert_int_equal(insert_row(f, "1"), -1);
	assert_int_equal(f->err.code, EEXIST);
	assert_int_equal(insert_row(f, "1000"), -1);
	assert_int_equal(f->err.code, EINVAL);
	assert_int_equal(insert_row(f, "one"), -1);
	assert_int_equal(f->err.code, EINVAL);
	assert_int_equal(db_run(f->db, &broken, NULL, NULL, &f->err), -1);
	assert_int_equal(f->err.code, EIO);
	assert_string_equal(f->err.msg, "PostgreSQL: relation \"nowhere\" does not exist");
	assert_int_equal(number(f, &count_rows), 1);
}

/* A message has room for 300 characters of the server's or so. */
static void a_long_refusal_is_cut_between_characters(void **state)
{
	struct fixture *f = *state;

	for (int start = 0; start < 2; start++) {
		AUTO(mem_free) char *id = mem_printf("%.*s%0*d", start, "x", 500, 0);
		for (size_t i = (size_t)start; id[i] != '\0'; i += 2)
			memcpy(id + i, "\xc3\xa4", 2);
		assert_int_equal(insert_row(f, id), -1);
		size_t len = strlen(f->err.msg);
		assert_true(len > 300 && len < sizeof(f->err.msg));
		assert_int_equal((unsigned char)f->err.msg[len - 1], 0xa4);
	}
}

static void the_servers_last_words_mean_that_the_connection_is_lost(void **state)
{
	static const struct db_statement end = {.name = "end", .sql = "select pg_terminate_backend(pg_backend_pid())"};
	struct fixture *f = *state;

	assert_int_equal(db_run(f->db, &end, NULL, NULL, &f->err), -1);
	assert_int_equal(f->err.code, ENOTCONN);
	assert_non_null(strstr(f->err.msg, "terminating connection due to administrator command"));
	assert_null(strchr(f->err.msg, '\n'));
}

static void each_way_of_not_being_there_has_its_words(void **state)
{
	struct fixture *f = *state;
	AUTO(db_wire_close) PGconn *conn = PQconnectdb("host=/nowhere");
	struct err err;

	assert_int_equal(db_error_unreachable(conn, 100, &err), -1);
	assert_int_equal(err.code, ENOTCONN);
	assert_non_null(strstr(err.msg, "PostgreSQL cannot be reached: connection to server on socket \"/nowhere/"));
	assert_null(strchr(err.msg, '\n'));
	assert_int_equal(db_error_silent(&err), -1);
	assert_string_equal(err.msg, "PostgreSQL stopped answering");
	db_wire_close(&conn);
	conn = PQconnectdb(f->conf->database_conninfo); /* which has nothing to complain of */
	db_error_unreachable(conn, 100, &err);
	assert_string_equal(err.msg, "PostgreSQL cannot be reached: no answer within 100 ms");
	db_error_lost(conn, &err);
	assert_string_equal(err.msg, "PostgreSQL: the connection broke");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(refusals_are_told_apart),
		DB_TEST(a_long_refusal_is_cut_between_characters),
		DB_TEST(the_servers_last_words_mean_that_the_connection_is_lost),
		DB_TEST(each_way_of_not_being_there_has_its_words),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
