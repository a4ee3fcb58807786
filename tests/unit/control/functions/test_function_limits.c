#include "control/functions/function_limits.h"

#include "tests/unit/control/functions/rules_rig.h"

static json_t *limits_of(const struct rules_rig *rig)
{
	return function_limits(rig->conf, rig->languages);
}

static void assert_limits(const json_t *limits, const char *field, const char *wanted)
{
	AUTO(json_decrefp) json_t *json = json_loads(wanted, 0, NULL);
	char *found = json_dumps(json_object_get(limits, field), 0);

	if (!json_equal(json_object_get(limits, field), json))
		fail_msg("%s: not %s but %s", field, wanted, found);
	free(found);
}

static void every_field_that_a_body_may_say_has_its_limits_and_no_other(void **state)
{
	AUTO(json_decrefp) json_t *limits = limits_of(*state);
	size_t fields = 0;

	for (const struct function_field *f = function_fields; f->name != NULL; f++)
		fields += f->when != FUNCTION_GIVEN;
	assert_int_equal(json_object_size(limits), fields);
	assert_null(json_object_get(limits, "id"));
	assert_null(json_object_get(limits, "version"));
}

static void texts_have_lengths_and_values_where_there_are_some(void **state)
{
	AUTO(json_decrefp) json_t *limits = limits_of(*state);

	assert_limits(limits, "name", "{\"type\":\"string\",\"required\":true,\"min_bytes\":1,\"max_bytes\":63}");
	assert_limits(limits, "language",
		      "{\"type\":\"string\",\"required\":true,\"min_bytes\":1,\"max_bytes\":32,"
		      "\"values\":[\"heavy\",\"python\"]}");
	assert_limits(limits, "language_version", "{\"type\":\"string\",\"required\":false,\"min_bytes\":1,\"max_bytes\":32}");
	assert_limits(limits, "runtime",
		      "{\"type\":\"string\",\"required\":false,\"min_bytes\":1,\"max_bytes\":32,"
		      "\"default\":\"gvisor\",\"values\":[\"docker\",\"gvisor\"]}");
	assert_limits(limits, "handler", "{\"type\":\"string\",\"required\":false,\"min_bytes\":1,\"max_bytes\":128}");
	assert_limits(limits, "code", "{\"type\":\"string\",\"required\":true,\"min_bytes\":1,\"max_bytes\":4194304}");
	assert_limits(limits, "environment", "{\"type\":\"object\",\"required\":false,\"max_bytes\":32768}");
	assert_limits(limits, "description",
		      "{\"type\":\"string\",\"required\":false,\"min_bytes\":0,\"max_bytes\":512,\"default\":\"\"}");
	assert_limits(limits, "network",
		      "{\"type\":\"string\",\"required\":false,\"min_bytes\":1,\"max_bytes\":32,\"default\":\"none\","
		      "\"values\":[\"none\",\"egress\"]}");
	assert_limits(limits, "isolation",
		      "{\"type\":\"string\",\"required\":false,\"min_bytes\":1,\"max_bytes\":32,"
		      "\"default\":\"per_function\",\"values\":[\"per_function\",\"per_invocation\"]}");
}

static void numbers_have_bounds_and_a_default(void **state)
{
	AUTO(json_decrefp) json_t *limits = limits_of(*state);
	const json_t *cpus = json_object_get(limits, "cpus");
	size_t known = 0, wholes = 0;

	for (const struct rules_rig_number *n = rules_rig_numbers; n->field != NULL; n++) {
		AUTO(json_decrefp)
		json_t *wanted = json_pack("{s:s, s:b, s:I, s:I, s:I}", "type", "integer", "required", 0, "min",
					   (json_int_t)n->min, "max", (json_int_t)n->max, "default", (json_int_t)n->by_default);
		assert_true(json_equal(json_object_get(limits, n->field), wanted));
		known++;
	}
	for (const struct function_field *f = function_fields; f->name != NULL; f++)
		wholes += f->type == FUNCTION_WHOLE && f->when != FUNCTION_GIVEN;
	assert_int_equal(known, wholes);
	assert_true(json_real_value(json_object_get(cpus, "min")) == 0.1);
	assert_true(json_real_value(json_object_get(cpus, "default")) == 1);
	assert_true(json_real_value(json_object_get(cpus, "max")) >= 1); /* the number of processors of this machine */
}

static int64_t limit(const json_t *limits, const char *field, const char *what)
{
	return json_integer_value(json_object_get(json_object_get(limits, field), what));
}

static void settings_and_the_node_are_limits(void **state)
{
	struct rules_rig *rig = *state;

	rig->conf->limits_pids_default = 100;
	rig->conf->limits_pids_max = 200;
	rig->conf->pool_memory_budget_mb = 1000;
	rules_rig_set_default_runtime(rig, "docker");
	AUTO(json_decrefp) json_t *limits = limits_of(rig);
	assert_int_equal(limit(limits, "pids", "default"), 100);
	assert_int_equal(limit(limits, "pids", "max"), 200);
	assert_int_equal(limit(limits, "memory_limit_mb", "max"), 1000);
	assert_string_equal(json_string_value(json_object_get(json_object_get(limits, "runtime"), "default")), "docker");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FUNCTION_TEST(every_field_that_a_body_may_say_has_its_limits_and_no_other),
		FUNCTION_TEST(texts_have_lengths_and_values_where_there_are_some),
		FUNCTION_TEST(numbers_have_bounds_and_a_default),
		FUNCTION_TEST(settings_and_the_node_are_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
