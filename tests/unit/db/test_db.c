#include "db/db.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/support/pg_proxy.h"
#include "tests/support/pg_scratch.h"

static struct pg_scratch *pg;

/* What a test gets: a connection that is not made yet, and a table t (id integer primary key, data bytea). */
struct fixture {
	struct conf *conf;
	struct db *db;
	struct err err;
};

static const struct db_statement insert = {.name = "insert", .sql = "insert into t values ($1::integer, $2)", .param_count = 2};
static const struct db_statement count_rows = {.name = "count", .sql = "select count(*) from t", .reads = true};
static const struct db_statement backend_pid = {.name = "pid", .sql = "select pg_backend_pid()", .reads = true};

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

	pg_scratch_exec(pg, "set client_min_messages = warning; drop table if exists t; drop sequence if exists tries; "
			    "create sequence tries; create table t (id integer primary key check (id < 1000), data bytea)");
	f->conf = pg_scratch_conf(pg);
	f->db = db_new(f->conf, "test");
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	db_free(&f->db);
	conf_free(&f->conf);
	mem_free(&f);
	return 0;
}

static int insert_row(struct fixture *f, const char *id)
{
	return db_run(f->db, &insert, (struct db_param[]){{id}, {NULL}}, NULL, &f->err);
}

static long number(struct fixture *f, const struct db_statement *statement)
{
	AUTO(db_result_clear) PGresult *r = NULL;

	assert_int_equal(db_run(f->db, statement, NULL, &r, &f->err), 0);
	return atol(PQgetvalue(r, 0, 0));
}

static void values_arrive_as_text_binary_and_null(void **state)
{
	static const struct db_statement get = {
		.name = "get", .sql = "select data from t order by id", .reads = true, .binary = true};
	struct fixture *f = *state;
	AUTO(db_result_clear) PGresult *r = NULL;

	assert_int_equal(db_run(f->db, &insert, (struct db_param[]){{"1"}, {"a\0b", 3, 1}}, NULL, &f->err), 0);
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

	assert_int_equal(db_run(f->db, &varying, (struct db_param[]){{"-"}}, &r, &f->err), 0);
	assert_string_equal(PQgetvalue(r, 0, 0), "off-0");
}

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

static void a_slow_statement_is_cancelled_and_the_connection_kept(void **state)
{
	static const struct db_statement nap = {.name = "nap", .sql = "select pg_sleep(10)", .reads = true};
	struct fixture *f = *state;

	f->conf->database_statement_timeout_ms = 200;
	long pid = number(f, &backend_pid);
	int64_t start_us = clock_mono_us();
	assert_int_equal(db_run(f->db, &nap, NULL, NULL, &f->err), -1);
	assert_int_equal(f->err.code, ETIMEDOUT);
	assert_in_range(clock_mono_us() - start_us, 150000, 650000);
	assert_int_equal(number(f, &backend_pid), pid);
}

/* The backend stops while it would have to answer a small statement, or to read one that fills every buffer on the way. */
static void a_server_that_hangs_is_given_up_at_the_deadline(void **state)
{
	static const int sizes[] = {1, 32 << 20};
	struct fixture *f = *state;
	AUTO(mem_free) char *data = mem_alloc(32 << 20);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		f->conf->database_statement_timeout_ms = 100;
		pid_t pid = (pid_t)number(f, &backend_pid);
		assert_int_equal(insert_row(f, i == 0 ? "1" : "2"), 0);
		assert_int_equal(kill(pid, SIGSTOP), 0);
		int64_t start_us = clock_mono_us();
		int rc = db_run(f->db, &insert, (struct db_param[]){{"3"}, {data, sizes[i], 1}}, NULL, &f->err);
		int64_t took_us = clock_mono_us() - start_us;
		kill(pid, SIGCONT);
		assert_int_equal(rc, -1);
		assert_int_equal(f->err.code, ENOTCONN);
		assert_in_range(took_us, 500000, 1500000);
		assert_int_not_equal(number(f, &backend_pid), pid);
	}
}

static void a_socket_that_never_answers_is_given_up_at_the_deadline(void **state)
{
	struct fixture *f = *state;
	char dir[] = "/tmp/berth-silent-XXXXXX";

	assert_non_null(mkdtemp(dir));
	AUTO(mem_free) char *path = mem_printf("%s/.s.PGSQL.5432", dir);
	AUTO(fd_close) int silent = fd_listen_unix(AT_FDCWD, path, SOCK_STREAM, 0600, 8, &f->err);
	assert_true(silent >= 0);
	mem_free(&f->conf->database_conninfo);
	f->conf->database_conninfo = mem_printf("host=%s dbname=x", dir);
	f->conf->database_connect_timeout_ms = 200;

	int64_t start_us = clock_mono_us();
	assert_int_equal(db_ping(f->db, &f->err), -1);
	assert_int_equal(f->err.code, ENOTCONN);
	assert_in_range(clock_mono_us() - start_us, 190000, 600000);

	/* It is not even tried again during the pause. */
	start_us = clock_mono_us();
	assert_int_equal(db_ping(f->db, &f->err), -1);
	assert_in_range(clock_mono_us() - start_us, 0, 90000);
	unlink(path);
	rmdir(dir);
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
		assert_int_equal(db_run(db, &insert, (struct db_param[]){{"1"}, {NULL}}, NULL, &f->err), 0);
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

static void copy_takes_more_than_a_socket_holds(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf rows = {0};

	for (int i = 0; i < 500; i++) {
		buf_printf(&rows, "%d\t", i);
		memset(buf_reserve(&rows, 20000), 'x', 20000);
		rows.len += 20000;
		buf_add_str(&rows, "\n");
	}
	assert_int_equal(db_begin(f->db, &f->err), 0);
	assert_int_equal(db_copy(f->db, "copy t from stdin", rows.data, rows.len, &f->err), 0);
	assert_int_equal(db_commit(f->db, &f->err), 0);
	assert_int_equal(number(f, &count_rows), 500);
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

static void no_descriptor_survives_exec(void **state)
{
	struct fixture *f = *state;
	int sockets = 0;

	assert_int_equal(db_ping(f->db, &f->err), 0);
	for (int fd = 3; fd < 64; fd++) {
		struct stat st;
		if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
			continue;
		sockets++;
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	assert_in_range(sockets, 1, 2); /* the fixture's and pg_scratch's */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(values_arrive_as_text_binary_and_null),
		TEST(a_statement_is_not_compiled_and_planned_for_its_parameters_when_it_says_so),
		TEST(refusals_are_told_apart),
		TEST(a_server_that_is_down_is_found_again_when_it_is_back),
		TEST(that_a_server_went_away_and_came_back_is_news_once_each),
		TEST(a_connection_that_was_replaced_is_no_news),
		TEST(a_transaction_that_was_lost_is_news_and_so_is_the_next_answer),
		TEST(a_long_refusal_is_cut_between_characters),
		TEST(a_connection_closed_while_idle_is_replaced_unnoticed),
		TEST(only_a_read_is_repeated_when_its_connection_breaks),
		TEST(a_slow_statement_is_cancelled_and_the_connection_kept),
		TEST(a_server_that_hangs_is_given_up_at_the_deadline),
		TEST(a_socket_that_never_answers_is_given_up_at_the_deadline),
		TEST(a_transaction_is_all_or_nothing),
		TEST(a_commit_after_a_refusal_fails),
		TEST(a_commit_that_is_not_answered_has_a_code_of_its_own),
		TEST(a_lost_transaction_stays_lost_until_it_is_rolled_back),
		TEST(a_statement_outlives_a_change_of_its_table),
		TEST(copy_takes_more_than_a_socket_holds),
		TEST(a_refused_copy_can_be_undone_to_a_savepoint),
		TEST(no_descriptor_survives_exec),
	};

	return cmocka_run_group_tests(tests, start_postgres, stop_postgres);
}
