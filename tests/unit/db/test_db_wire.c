#include "db/db_wire.h"

#include <errno.h>
#include <signal.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/db/db_rig.h"
#include "tests/unit/unit.h"

/* The backend stops while it would have to answer a small statement, or to read one that fills every buffer on the way. */
static void a_server_that_hangs_is_given_up_at_the_deadline(void **state)
{
	static const size_t sizes[] = {1, 32 << 20};
	struct fixture *f = *state;
	AUTO(mem_free) char *data = mem_alloc(32 << 20);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		f->conf->database_statement_timeout_ms = 100;
		pid_t pid = (pid_t)number(f, &backend_pid);
		assert_int_equal(insert_row(f, i == 0 ? "1" : "2"), 0);
		assert_int_equal(kill(pid, SIGSTOP), 0);
		int64_t start_us = clock_mono_us();
		int rc = db_run(f->db, &insert, (struct db_param[]){db_int(3), db_bytes(data, sizes[i])}, NULL, &f->err);
		int64_t took_us = clock_mono_us() - start_us;
		kill(pid, SIGCONT);
		assert_int_equal(rc, -1);
		assert_int_equal(f->err.code, ENOTCONN);
		assert_in_range(took_us, 500000, 1500000);
		assert_int_not_equal(number(f, &backend_pid), pid);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		DB_TEST(a_server_that_hangs_is_given_up_at_the_deadline),
		DB_TEST(copy_takes_more_than_a_socket_holds),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
