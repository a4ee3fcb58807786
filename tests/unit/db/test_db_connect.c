#include "db/db_connect.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/db/db_rig.h"
#include "tests/unit/unit.h"

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

static void a_session_has_its_settings(void **state)
{
	static const struct db_statement settings = {
		.name = "settings",
		.sql = "select string_agg(current_setting(n), ' ') from unnest(array['application_name', 'client_encoding', "
		       "'jit', "
		       "'max_parallel_workers_per_gather', 'statement_timeout']) n",
		.reads = true,
	};
	struct fixture *f = *state;

	for (int i = 1; i <= 2; i++) {
		AUTO(db_result_clear) PGresult *r = NULL;
		struct conf conf = *f->conf;
		char wanted[80];

		conf.database_statement_timeout_ms = 1234 * i; /* heard of when it changes */
		db_set_conf(f->db, &conf);
		assert_int_equal(db_run(f->db, &settings, NULL, &r, &f->err), 0);
		snprintf(wanted, sizeof(wanted), "test UTF8 off 0 %dms", 1234 * i);
		assert_string_equal(PQgetvalue(r, 0, 0), wanted);
		db_set_conf(f->db, f->conf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(a_slow_statement_is_cancelled_and_the_connection_kept),
		DB_TEST(a_socket_that_never_answers_is_given_up_at_the_deadline),
		DB_TEST(no_descriptor_survives_exec),
		DB_TEST(a_session_has_its_settings),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
