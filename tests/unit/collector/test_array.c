#include "collector/array.h"

#include "tests/unit/unit.h"

static void elements_are_separated_by_commas_in_braces(void **state)
{
	AUTO(buf_free) struct buf one = {0}, three = {0};

	(void)state;
	array_add(&one, "%s", "a");
	assert_string_equal(array_param(&one).borrowed, "{a}");
	for (int i = 1; i <= 3; i++)
		array_add(&three, "%d", i);
	assert_string_equal(array_param(&three).borrowed, "{1,2,3}");
}

static void an_array_may_be_empty(void **state)
{
	AUTO(buf_free) struct buf none = {0};

	(void)state;
	assert_string_equal(array_param(&none).borrowed, "{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_are_separated_by_commas_in_braces),
		cmocka_unit_test(an_array_may_be_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
