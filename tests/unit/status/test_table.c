#include "status/table.h"

#include "tests/unit/unit.h"

static char *printed(const struct table *t)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	table_print(t, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void columns_are_as_wide_as_what_is_in_them(void **state)
{
	AUTO(table_free) struct table t = {.columns = 3};
	static const char *const cells[] = {"Name", "n", "longer", "a", "1000", "1", "ü", "7", "22"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		table_add(&t, "%s", cells[i]);
	char *text = printed(&t);
	assert_string_equal(text, "Name     n  longer\n"
				  "a     1000       1\n"
				  "ü        7      22\n");
	free(text);
}

static void a_table_may_be_empty(void **state)
{
	AUTO(table_free) struct table t = {.columns = 3};
	char *text = printed(&t);

	(void)state;
	assert_string_equal(text, "");
	free(text);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	AUTO(table_free) struct table t = {.columns = 1};

	(void)state;
	table_add(&t, "%s", "a\033[2Jb\nc\td\x7f");
	char *text = printed(&t);
	assert_string_equal(text, "a?[2Jb?c?d?\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_what_is_in_them),
		cmocka_unit_test(a_table_may_be_empty),
		cmocka_unit_test(control_characters_do_not_reach_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
