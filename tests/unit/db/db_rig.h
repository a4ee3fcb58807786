/*
 * The rig of the tests of db/: a connection to the PostgreSQL of the group, which has a table t (id integer primary key, data
 * bytea) or Berth's own tables.
 */
#ifndef UNIT_DB_DB_RIG_H
#define UNIT_DB_DB_RIG_H

#include "db/db.h"
#include "tests/support/pg_group.h"
#include "tests/support/pg_proxy.h"

struct fixture {
	struct conf *conf;
	struct db *db;         /* not connected yet */
	struct pg_proxy proxy; /* between the two, after a test has started it */
	struct err err;
};

/* Set-up of each test: an empty table t, or an empty database to which all migrations were applied. */
int rig_set_up(void **state);
int rig_set_up_migrated(void **state);
int rig_tear_down(void **state);

#define DB_TEST(f)       cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)
#define MIGRATED_TEST(f) cmocka_unit_test_setup_teardown(f, rig_set_up_migrated, rig_tear_down)

extern const struct db_statement insert, count_rows, backend_pid;

int insert_row(struct fixture *f, const char *id);
long number(struct fixture *f, const struct db_statement *statement); /* the first column of the first row */

#endif
