/* The scratch PostgreSQL of a test program, which all its tests share. */
#ifndef SUPPORT_PG_GROUP_H
#define SUPPORT_PG_GROUP_H

#include "tests/support/pg_scratch.h"

extern struct pg_scratch *pg; /* between the start and the stop */

/* For cmocka_run_group_tests. The database is empty at first. */
int pg_group_start(void **state);
int pg_group_stop(void **state);

#endif
