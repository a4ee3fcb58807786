/* The scratch PostgreSQL of a test program whose tests share one. */
#ifndef SUPPORT_PG_GROUP_H
#define SUPPORT_PG_GROUP_H

#include "tests/support/pg_scratch.h"

extern struct pg_scratch *pg; /* between the start and the stop */

/* For cmocka_run_group_tests. The database is empty. */
int pg_group_start(void **state);
int pg_group_stop(void **state);

#endif
