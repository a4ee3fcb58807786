#include "base/err.h"

#include <errno.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_code_adds_its_meaning),
		cmocka_unit_test(without_a_code_the_text_stands_alone),
		cmocka_unit_test(a_prefix_goes_in_front_and_keeps_the_code),
		cmocka_unit_test(nobody_has_to_listen),
		cmocka_unit_test(long_messages_are_cut_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
