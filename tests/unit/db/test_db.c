#include "db/db.h"

#include <errno.h>

#include "base/mem.h"
#include "tests/support/pg_proxy.h"
#include "tests/unit/db/db_rig.h"
#include "tests/unit/unit.h"

static void a_server_that_is_down_is_found_again_when_it_is_back(void **state)
{
	struct fixture *f = *state;

	pg_scratch_stop(pg);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(db_ping(f->db, &f->err), -1);
		assert_int_equal(f->err.code, ENOTCONN);
		usleep(120000);
	}
	pg_scratch_start(pg);
	usleep(400000); /* the third pause */
	assert_int_equal(db_ping(f->db, &f->err), 0);
}

static void that_a_server_went_away_and_came_back_is_news_once_each(void **state)
{
	struct fixture *f = *state;
	const char *why;

	assert_int_equal(db_ping(f->db, &f->err), 0);
	assert_int_equal(db_news(f->db, &why), DB_NO_NEWS);
	pg_scratch_stop(pg);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(db_ping(f->db, &f->err), -1);
		assert_int_equal(db_news(f->db, &why), i == 0 ? DB_AWAY : DB_NO_NEWS);
		assert_string_equal(why, f->err.msg);
	}
	pg_scratch_start(pg);
	usleep(120000);
	assert_int_equal(db_ping(f->db, &f->err), 0);
	assert_int_equal(db_news(f->db, &why), DB_BACK);
	assert_int_equal(insert_row(f, "one"), -1); /* an answer as well */
	assert_int_equal(db_news(f->db, &why), DB_NO_NEWS);
}

static void a_connection_that_was_replaced_is_no_news(void **state)
{
	struct fixture *f = *state;
	const char *why;

	assert_int_equal(db_ping(f->db, &f->err), 0);
	pg_scratch_stop(pg);
	pg_scratch_start(pg);
	assert_int_equal(db_ping(f->db, &f->err), 0);
	assert_int_equal(db_news(f->db, &why), DB_NO_NEWS);
}

static void a_transaction_that_was_lost_is_news_and_so_is_the_next_answer(void **state)
{
	struct fixture *f = *state;
	const char *why;

	assert_int_equal(db_begin(f->db, &f->err), 0);
	pg_scratch_exec(pg, "select pg_terminate_backend(%ld, 5000)", number(f, &backend_pid));
	assert_int_equal(insert_row(f, "1"), -1);
	db_rollback(f->db);
	assert_int_equal(db_news(f->db, &why), DB_AWAY);
	assert_int_equal(insert_row(f, "1"), 0);
	assert_int_equal(db_news(f->db, &why), DB_BACK);
}

static void a_connection_closed_while_idle_is_replaced_unnoticed(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(insert_row(f, "1"), 0);
	pg_scratch_stop(pg);
	pg_scratch_start(pg);
	assert_int_equal(insert_row(f, "2"), 0);

	pg_scratch_exec(pg, "select pg_terminate_backend(%ld, 5000)", number(f, &backend_pid));
	assert_int_equal(db_begin(f->db, &f->err), 0);
	assert_int_equal(number(f, &count_rows), 2);
	assert_int_equal(db_commit(f->db, &f->err), 0);
}

static void only_a_read_is_repeated_when_its_connection_breaks(void **state)
{
	/* Kills its own connection the first time it runs. */
	static const char suicide[] =
		"select case when nextval('tries') % 2 = 1 then pg_terminate_backend(pg_backend_pid()) end";
	static const struct db_statement read = {.name = "read", .sql = suicide, .reads = true};
	static const struct db_statement write = {.name = "write", .sql = suicide};
	struct fixture *f = *state;

	assert_int_equal(db_run(f->db, &read, NULL, NULL, &f->err), 0);
	assert_int_equal(pg_scratch_number(pg, "select last_value from tries"), 2);
	assert_int_equal(db_run(f->db, &write, NULL, NULL, &f->err), -1);
	assert_int_equal(f->err.code, ENOTCONN);
	assert_int_equal(pg_scratch_number(pg, "select last_value from tries"), 3);
	assert_int_equal(db_run(f->db, &write, NULL, NULL, &f->err), 0);
}

static void a_transaction_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(db_begin(f->db, &f->err), 0);
	assert_int_equal(insert_row(f, "1"), 0);
	db_rollback(f->db);
	db_rollback(f->db);
	assert_int_equal(number(f, &count_rows), 0);

	assert_int_equal(db_begin(f->db, &f->err), 0);
	assert_int_equal(insert_row(f, "1"), 0);
	assert_int_equal(db_commit(f->db, &f->err), 0);
	assert_int_equal(number(f, &count_rows), 1);
}

static void a_commit_after_a_refusal_fails(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(db_begin(f->db, &f->err), 0);
	assert_int_equal(insert_row(f, "1"), 0);
	assert_int_equal(insert_row(f, "1"), -1);
	assert_int_equal(db_commit(f->db, &f->err), -1);
	assert_int_equal(number(f, &count_rows), 0);
}

static void a_commit_that_is_not_answered_has_a_code_of_its_own(void **state)
{
	static const enum pg_proxy_cut cuts[] = {PG_PROXY_BEFORE, PG_PROXY_AFTER};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		AUTO(pg_proxy_end) struct pg_proxy proxy = {0};
		AUTO(conf_free) struct conf *conf = pg_scratch_conf(pg);
		pg_proxy_start(&proxy, conf, cuts[i]);
		AUTO(db_free) struct db *db = db_new(conf, "test");
		assert_int_equal(db_begin(db, &f->err), 0);
		assert_int_equal(db_run(db, &insert, (struct db_param[]){db_int(1), db_text(NULL)}, NULL, &f->err), 0);
		assert_int_equal(db_commit(db, &f->err), -1);
		assert_int_equal(f->err.code, EINPROGRESS);
		assert_int_equal(number(f, &count_rows), cuts[i] == PG_PROXY_AFTER);
	}
}

static void a_lost_transaction_stays_lost_until_it_is_rolled_back(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(db_begin(f->db, &f->err), 0);
	assert_int_equal(insert_row(f, "1"), 0);
	pg_scratch_exec(pg, "select pg_terminate_backend(%ld, 5000)", number(f, &backend_pid));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(insert_row(f, "2"), -1);
		assert_int_equal(f->err.code, ENOTCONN);
	}
	db_rollback(f->db);
	assert_int_equal(number(f, &count_rows), 0);
}

static void a_statement_outlives_a_change_of_its_table(void **state)
{
	static const struct db_statement all = {.name = "all", .sql = "select * from t", .reads = true};
	struct fixture *f = *state;

	assert_int_equal(db_run(f->db, &all, NULL, NULL, &f->err), 0);
	pg_scratch_exec(pg, "alter table t add column more text");
	assert_int_equal(db_run(f->db, &all, NULL, NULL, &f->err), 0);
}

static void a_refused_copy_can_be_undone_to_a_savepoint(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(db_begin(f->db, &f->err), 0);
	assert_int_equal(insert_row(f, "1"), 0);
	assert_int_equal(db_command(f->db, "savepoint s", &f->err), 0);
	assert_int_equal(db_copy(f->db, "copy t from stdin", "2\t\\N\n1\t\\N\n3\t\\N\n", 15, &f->err), -1);
	assert_int_equal(f->err.code, EEXIST);
	assert_int_equal(db_command(f->db, "rollback to savepoint s", &f->err), 0);
	assert_int_equal(db_commit(f->db, &f->err), 0);
	assert_int_equal(number(f, &count_rows), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(a_server_that_is_down_is_found_again_when_it_is_back),
		DB_TEST(that_a_server_went_away_and_came_back_is_news_once_each),
		DB_TEST(a_connection_that_was_replaced_is_no_news),
		DB_TEST(a_transaction_that_was_lost_is_news_and_so_is_the_next_answer),
		DB_TEST(a_connection_closed_while_idle_is_replaced_unnoticed),
		DB_TEST(only_a_read_is_repeated_when_its_connection_breaks),
		DB_TEST(a_transaction_is_all_or_nothing),
		DB_TEST(a_commit_after_a_refusal_fails),
		DB_TEST(a_commit_that_is_not_answered_has_a_code_of_its_own),
		DB_TEST(a_lost_transaction_stays_lost_until_it_is_rolled_back),
		DB_TEST(a_statement_outlives_a_change_of_its_table),
		DB_TEST(a_refused_copy_can_be_undone_to_a_savepoint),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
