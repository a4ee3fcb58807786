#include "control/functions/function_input_error.h"

#include "base/mem.h"
#include "tests/unit/unit.h"

static void a_mistake_has_a_field_a_code_and_words(void **state)
{
	AUTO(json_decrefp) json_t *errors = json_array();
	AUTO(json_decrefp)
	json_t *wanted =
		json_pack("[{s:s, s:s, s:s}]", "field", "pids", "code", "out_of_range", "message", "pids must be from 8 to 9");

	(void)state;
	function_input_error(errors, "pids", MISTAKE_OUT_OF_RANGE, "%s must be from %d to %d", "pids", 8, 9);
	assert_true(json_equal(errors, wanted));
}

static void of_many_mistakes_the_first_are_told(void **state)
{
	AUTO(json_decrefp) json_t *errors = json_array();

	(void)state;
	for (int i = 0; i < 1000; i++)
		function_input_error(errors, "x", MISTAKE_UNKNOWN_FIELD, "%d", i);
	assert_int_equal(json_array_size(errors), FUNCTION_INPUT_ERRORS_MAX);
	assert_string_equal(json_string_value(json_object_get(json_array_get(errors, 0), "message")), "0");
}

static const char *told(const json_t *errors, const char *member)
{
	return json_string_value(json_object_get(json_array_get(errors, 0), member));
}

static void of_a_long_name_no_more_is_told_than_is_needed(void **state)
{
	AUTO(json_decrefp) json_t *errors = json_array();
	char name[1001];

	(void)state;
	for (size_t i = 0; i < 1000; i += 2)
		memcpy(name + i, i == 0 ? "xy" : "\xc3\xa4", 2);
	name[1000] = '\0';
	memmove(name, name + 1, 1000); /* no character ends at 160 bytes */
	function_input_error(errors, name, MISTAKE_UNKNOWN_FIELD, "%s", name);
	assert_int_equal(strlen(told(errors, "field")), 159);
	assert_int_equal(strlen(told(errors, "message")), 511);
}

static void bytes_that_are_no_text_are_told_as_text(void **state)
{
	AUTO(json_decrefp) json_t *errors = json_array();

	(void)state;
	function_input_error(errors, "a\xff", MISTAKE_UNKNOWN_FIELD, "a\xff");
	assert_string_equal(told(errors, "field"), "a?");
	assert_string_equal(told(errors, "message"), "a?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mistake_has_a_field_a_code_and_words),
		cmocka_unit_test(of_many_mistakes_the_first_are_told),
		cmocka_unit_test(of_a_long_name_no_more_is_told_than_is_needed),
		cmocka_unit_test(bytes_that_are_no_text_are_told_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
