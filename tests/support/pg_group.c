#include "tests/support/pg_group.h"

struct pg_scratch *pg;

int pg_group_start(void **state)
{
	(void)state;
	pg = pg_scratch_new();
	return 0;
}

int pg_group_stop(void **state)
{
	(void)state;
	pg_scratch_free(&pg);
	return 0;
}
