#include "ipc/inherited.h"

#include "tests/unit/unit.h"

static void every_role_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int role = 0; role < CHILD_ROLE_COUNT; role++)
		assert_int_equal(child_role_parse(child_role_name((enum child_role)role)), role);
}

static void what_is_no_role_is_recognised(void **state)
{
	(void)state;
	assert_int_equal(child_role_parse("master"), CHILD_ROLE_COUNT);
	assert_int_equal(child_role_parse(""), CHILD_ROLE_COUNT);
	assert_string_equal(child_role_name(CHILD_ROLE_COUNT), "?");
	assert_string_equal(child_role_name((enum child_role) - 1), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_role_has_a_name_of_its_own),
		cmocka_unit_test(what_is_no_role_is_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
