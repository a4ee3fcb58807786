#include "base/err.h"

#include <errno.h>
#include <stdbool.h>

#include "tests/unit/unit.h"

static void a_code_adds_its_meaning(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(err_set(&err, ENOENT, "open '%s'", "x"), -1);
	assert_int_equal(err.code, ENOENT);
	assert_string_equal(err.msg, "open 'x': No such file or directory");
}

static void without_a_code_the_text_stands_alone(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, 0, "no %d", 7);
	assert_int_equal(err.code, 0);
	assert_string_equal(err.msg, "no 7");
}

static void a_prefix_goes_in_front_and_keeps_the_code(void **state)
{
	struct err err;

	(void)state;
	err_set(&err, EPERM, "kill");
	assert_int_equal(err_prefix(&err, "sandbox %s", "s1"), -1);
	assert_int_equal(err.code, EPERM);
	assert_string_equal(err.msg, "sandbox s1: kill: Operation not permitted");
}

static void nobody_has_to_listen(void **state)
{
	(void)state;
	assert_int_equal(err_set(NULL, EPERM, "x"), -1);
	assert_int_equal(err_prefix(NULL, "x"), -1);
}

static void long_messages_are_cut_off(void **state)
{
	struct err err;

	(void)state;
	for (int width = (int)sizeof(err.msg) - 40; width < (int)sizeof(err.msg) + 40; width++) {
		err_set(&err, ENOENT, "%*d", width, 1);
		assert_true(strlen(err.msg) < sizeof(err.msg));
		err_prefix(&err, "%*d", width, 2);
		assert_true(strlen(err.msg) < sizeof(err.msg));
	}
}

static void text_that_was_cut_off_ends_with_a_whole_character(void **state)
{
	static const struct {
		const char *text;
		size_t kept;
	} cases[] = {
		{"", 0},
		{"ab", 2},
		{"a\xc3", 1},
		{"a\xc3\xa4", 3},
		{"a\xe2\x82", 1},
		{"a\xe2\x82\xac", 4},
		{"a\xf0\x9f\x9a", 1},
		{"a\xf0\x9f\x9a\xa2", 5},
		{"\xe2\x82", 0},
		{"\x80\x80\x80\x80\x80", 5}, /* never was UTF-8 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[16];
		strcpy(text, cases[i].text);
		assert_int_equal(err_end_whole(text, strlen(text)), cases[i].kept);
		assert_int_equal(strlen(text), cases[i].kept);
	}
}

/* Whole characters all of four bytes, after a beginning of fewer than four. */
static bool is_whole(const char *msg, size_t start)
{
	return (strlen(msg) - start) % 4 == 0;
}

static void a_message_is_never_cut_inside_a_character(void **state)
{
	struct err err;
	char ships[4 * 200 + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(ships) - 1; i += 4)
		memcpy(ships + i, "\xf0\x9f\x9a\xa2", 5);
	for (int start = 0; start < 4; start++) {
		err_set(&err, 0, "%.*s%s", start, "abc", ships);
		assert_true(strlen(err.msg) > sizeof(err.msg) - 5 && is_whole(err.msg, (size_t)start));
		err_prefix(&err, "%.*s", start, "abc");
		assert_true(strlen(err.msg) > sizeof(err.msg) - 5 && is_whole(err.msg, 2 * (size_t)start + 2));
		err_prefix(&err, "%.*s%s", start, "abc", ships);
		assert_true(strlen(err.msg) > sizeof(err.msg) - 5 && is_whole(err.msg, (size_t)start));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_code_adds_its_meaning),
		cmocka_unit_test(without_a_code_the_text_stands_alone),
		cmocka_unit_test(a_prefix_goes_in_front_and_keeps_the_code),
		cmocka_unit_test(nobody_has_to_listen),
		cmocka_unit_test(long_messages_are_cut_off),
		cmocka_unit_test(text_that_was_cut_off_ends_with_a_whole_character),
		cmocka_unit_test(a_message_is_never_cut_inside_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
