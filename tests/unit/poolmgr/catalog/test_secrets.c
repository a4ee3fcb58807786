#include "poolmgr/catalog/secrets.h"

#include <stdbool.h>

#include "tests/unit/unit.h"

static void values_of_variables_that_sound_secret_are_taken_if_they_are_long_enough(void **state)
{
	static const struct {
		const char *name, *value;
		bool taken;
	} rows[] = {
		{"MY_SECRET", "12345678", true},        {"token", "12345678", true},
		{"DbPassword", "12345678", true},       {"ROOT_PASSWD", "12345678", true},
		{"STRIPE_API_KEY_2", "12345678", true}, {"PRIVATE_KEY", "12345678", true},
		{"CREDENTIALS", "12345678", true},      {"MY_SECRET", "1234567", false},
		{"COLOUR", "ultramarine", false},       {"KEY", "12345678", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(buf_free) struct buf out = {0};
		json_t *environment = json_pack("{s:s}", rows[i].name, rows[i].value);
		secrets_add(&out, environment);
		json_decref(environment);
		assert_int_equal(out.len, rows[i].taken ? strlen(rows[i].value) + 1 : 0);
		assert_string_equal(buf_str(&out), rows[i].taken ? rows[i].value : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_variables_that_sound_secret_are_taken_if_they_are_long_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
