#include "control/functions/function_fields.h"

#include "tests/unit/control/functions/function_rig.h"

static void a_body_may_say_what_berth_does_not_set(void **state)
{
	(void)state;
	assert_string_equal(function_field_find("cpus")->name, "cpus");
	assert_int_equal(function_field_find("code")->type, FUNCTION_SOURCE);
	assert_null(function_field_find("id"));
	assert_null(function_field_find("version"));
	assert_null(function_field_find("cpu_millis"));
	assert_null(function_field_find(""));
}

static void every_row_says_what_it_is(void **state)
{
	(void)state;
	for (const struct function_field *f = function_fields; f->name != NULL; f++) {
		size_t len = strlen(f->text);
		if (len < 10 || f->text[len - 1] == '.' || strchr(f->text, '|') != NULL)
			fail_msg("%s: the text has to be a sentence without its period, for a table: '%s'", f->name, f->text);
		if (function_field_is_number(f) && f->when != FUNCTION_GIVEN && f->unit[0] == '\0')
			fail_msg("%s: a number without a unit", f->name);
	}
}

static void words_are_known_where_there_are_some(void **state)
{
	const struct function_field *network = function_field_find("network"), *runtime = function_field_find("runtime");

	(void)state;
	assert_string_equal(function_field_word(network, 0), "none");
	assert_string_equal(function_field_word(network, 1), "egress");
	assert_null(function_field_word(network, 2));
	assert_string_equal(function_field_word(runtime, 0), "docker");
	assert_string_equal(function_field_word(runtime, 1), "gvisor");
	assert_null(function_field_word(runtime, 2));
	assert_null(function_field_word(function_field_find("name"), 0));
}

static void values_are_constants_settings_or_what_the_node_has(void **state)
{
	struct function_rig *rig = *state;

	rig->conf->limits_pids_max = 77;
	rig->conf->pool_memory_budget_mb = 1000;
	assert_int_equal(function_value_number(&function_field_find("pids")->min, rig->conf), 8);
	assert_int_equal(function_value_number(&function_field_find("pids")->max, rig->conf), 77);
	assert_int_equal(function_value_number(&function_field_find("memory_limit_mb")->max, rig->conf), 1000);
	assert_in_range(function_value_number(&function_field_find("cpus")->max, rig->conf), 1000, 1000000);
	assert_int_equal(function_value_number(&function_field_find("handler")->by_default, rig->conf), 0);
	assert_string_equal(function_value_word(&function_field_find("network")->by_default, rig->conf), "none");
	assert_string_equal(function_value_word(&function_field_find("runtime")->by_default, rig->conf), "gvisor");
	assert_null(function_value_word(&function_field_find("runtime")->by_default, NULL));
	assert_null(function_value_word(&function_field_find("handler")->by_default, rig->conf));
}

static void a_value_is_shown_as_the_api_has_it(void **state)
{
	AUTO(spec_free) struct spec *spec = spec_new();
	AUTO(json_decrefp) json_t *shown = json_object();
	AUTO(json_decrefp)
	json_t *wanted =
		json_pack("{s:f, s:i, s:s, s:{s:s}}", "cpus", 1.25, "pids", 7, "network", "egress", "environment", "A", "b");

	(void)state;
	spec->cpu_millis = 1250;
	spec->pids = 7;
	free(spec->network);
	spec->network = strdup("egress");
	json_object_set_new(spec->environment, "A", json_string("b"));
	for (const struct function_field *f = function_fields; f->name != NULL; f++)
		if (json_object_get(wanted, f->name) != NULL)
			json_object_set_new(shown, f->name, function_field_value(f, spec));
	assert_true(json_equal(shown, wanted));
	assert_null(function_field_value(function_field_find("code"), spec));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_may_say_what_berth_does_not_set),
		cmocka_unit_test(every_row_says_what_it_is),
		cmocka_unit_test(words_are_known_where_there_are_some),
		FUNCTION_TEST(values_are_constants_settings_or_what_the_node_has),
		cmocka_unit_test(a_value_is_shown_as_the_api_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
