/* What tests of db/ stand on: a scratch PostgreSQL, a connection to it, and a table t (id integer primary key, data bytea). */
#ifndef UNIT_DB_DB_RIG_H
#define UNIT_DB_DB_RIG_H

#include "db/db.h"
#include "tests/support/pg_scratch.h"

extern struct pg_scratch *pg; /* of the group of tests */

struct fixture {
	struct conf *conf;
	struct db *db; /* not connected yet */
	struct err err;
};

/* Of the group; of each test. */
int rig_start_postgres(void **state);
int rig_stop_postgres(void **state);
int rig_set_up(void **state);
int rig_tear_down(void **state);

#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

extern const struct db_statement insert, count_rows, backend_pid;

int insert_row(struct fixture *f, const char *id);
long number(struct fixture *f, const struct db_statement *statement); /* the first column of the first row */

#endif
