#include "control/functions/environment.h"

#include "tests/unit/unit.h"

static json_t *parse(const char *text)
{
	return json_loads(text, JSON_DECODE_ANY, NULL);
}

static void values_of_secrets_are_masked_and_what_is_stored_stays(void **state)
{
	AUTO(json_decrefp)
	json_t *stored = parse("{\"A\": \"b\", \"my_Api_Key\": \"k\", \"TOKEN\": \"\", \"DB_PASSWORD2\": \"p\"}");
	AUTO(json_decrefp) json_t *before = json_deep_copy(stored);
	AUTO(json_decrefp)
	json_t *wanted = parse("{\"A\": \"b\", \"my_Api_Key\": \"***\", \"TOKEN\": \"***\", \"DB_PASSWORD2\": \"***\"}");
	AUTO(json_decrefp) json_t *masked = environment_masked(stored);

	(void)state;
	assert_true(json_equal(masked, wanted));
	assert_true(json_equal(stored, before));
}

static void assert_unmasked(const char *sent, const char *stored, const char *wanted, size_t mistakes)
{
	AUTO(json_decrefp) json_t *environment = parse(sent);
	AUTO(json_decrefp) json_t *known = stored != NULL ? parse(stored) : NULL;
	AUTO(json_decrefp) json_t *right = parse(wanted);
	AUTO(json_decrefp) json_t *errors = json_array();

	environment_unmask(environment, known, errors);
	assert_true(json_equal(environment, right));
	assert_int_equal(json_array_size(errors), mistakes);
}

static void a_mask_stands_for_the_value_that_is_stored(void **state)
{
	(void)state;
	assert_unmasked("{\"TOKEN\": \"***\", \"A\": \"2\"}", "{\"TOKEN\": \"real\", \"A\": \"1\", \"B\": \"1\"}",
			"{\"TOKEN\": \"real\", \"A\": \"2\"}", 0);
	assert_unmasked("{\"TOKEN\": \"new\"}", "{\"TOKEN\": \"real\"}", "{\"TOKEN\": \"new\"}", 0);
	/* A name that is no secret's is never masked, so these are three stars. */
	assert_unmasked("{\"STARS\": \"***\"}", "{\"STARS\": \"x\"}", "{\"STARS\": \"***\"}", 0);
}

static void a_mask_that_stands_for_nothing_is_a_mistake(void **state)
{
	(void)state;
	assert_unmasked("{\"TOKEN\": \"***\"}", NULL, "{\"TOKEN\": \"***\"}", 1);
	assert_unmasked("{\"TOKEN\": \"***\", \"SECRET\": \"***\"}", "{\"SECRET\": \"s\"}",
			"{\"TOKEN\": \"***\", \"SECRET\": \"s\"}", 1);
}

static void a_variable_that_has_no_effect_has_something_in_its_place(void **state)
{
	/* The agents see to PYTHONPATH and NODE_PATH themselves. */
	static const char *const none[] = {"PATH",       "PYTHONPATH", "NODE_PATH", "PYTHONUNBUFFERED", "NODE_ENV", "TZ",
					   "LD_SDK_KEY", "pythonpath", ""};
	const char *why;

	(void)state;
	assert_non_null(strstr(environment_instead_of("NODE_OPTIONS", &why), "setFlagsFromString"));
	assert_non_null(strstr(why, "when a program starts"));
	assert_non_null(environment_instead_of("LD_PRELOAD", &why));
	assert_non_null(strstr(environment_instead_of("AWS_LAMBDA_LOG_LEVEL", &why), "?level="));
	assert_string_equal(why, "does not change what is logged");
	assert_non_null(strstr(environment_instead_of("AWS_LAMBDA_LOG_FORMAT", &why), "as JSON"));
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_null(environment_instead_of(none[i], &why));
}

static void what_is_no_environment_is_left_to_who_checks_it(void **state)
{
	(void)state;
	assert_unmasked("[\"TOKEN=***\"]", "{\"TOKEN\": \"real\"}", "[\"TOKEN=***\"]", 0);
	assert_unmasked("{\"TOKEN\": 7}", "{\"TOKEN\": \"real\"}", "{\"TOKEN\": 7}", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_secrets_are_masked_and_what_is_stored_stays),
		cmocka_unit_test(a_mask_stands_for_the_value_that_is_stored),
		cmocka_unit_test(a_mask_that_stands_for_nothing_is_a_mistake),
		cmocka_unit_test(a_variable_that_has_no_effect_has_something_in_its_place),
		cmocka_unit_test(what_is_no_environment_is_left_to_who_checks_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
