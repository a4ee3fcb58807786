#include "base/cmdline.h"

#include "tests/unit/unit.h"

static void an_option_is_the_word_behind_its_name(void **state)
{
	static const char line[] = "program\0-id\0one\0-namespace\0moby";

	(void)state;
	assert_string_equal(cmdline_option(line, sizeof(line), "-id"), "one");
	assert_string_equal(cmdline_option(line, sizeof(line), "-namespace"), "moby");
	assert_string_equal(cmdline_option(line, sizeof(line) - 1, "-namespace"), "moby"); /* one that was cut short, too */
	assert_null(cmdline_option(line, sizeof(line), "-address"));
	assert_null(cmdline_option(line, sizeof(line), "id"));
}

static void a_name_without_a_word_behind_it_is_no_option(void **state)
{
	(void)state;
	assert_null(cmdline_option("-id", sizeof("-id"), "-id"));
	assert_null(cmdline_option("-id", strlen("-id"), "-id"));
	assert_null(cmdline_option("", 0, "-id"));
	assert_null(cmdline_option("-id\0one", sizeof("-id"), "-id")); /* what follows is not of the line */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_option_is_the_word_behind_its_name),
		cmocka_unit_test(a_name_without_a_word_behind_it_is_no_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
