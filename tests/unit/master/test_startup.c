/* What keeps a master from starting is told. Whole starts are seen by the end-to-end tests, which have the users for it. */
#include "master/startup.h"

#include "tests/unit/master/master_rig.h"

static void a_program_that_is_missing_is_named(void **state)
{
	struct master_rig *r = *state;
	struct err err;

	/* Beside this one. */
	assert_fails(startup_run(&r->m, &err), "berthd-invoke'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MASTER_TEST(a_program_that_is_missing_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
