#include "control/functions/function_schema.h"

#include "base/mem.h"
#include "tests/unit/unit.h"

static const struct function_field *field(const char *name)
{
	for (const struct function_field *f = function_fields; f->name != NULL; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	fail_msg("no field '%s'", name);
	return NULL;
}

static void assert_schema(const char *name, const char *wanted)
{
	AUTO(json_decrefp) json_t *schema = function_schema(field(name));
	AUTO(json_decrefp) json_t *json = json_loads(wanted, 0, NULL);
	AUTO(mem_free) char *found = json_dumps(schema, 0);

	assert_non_null(json);
	if (!json_equal(schema, json))
		fail_msg("%s: not %s but %s", name, wanted, found);
}

static void assert_constant_part(const char *name, const char *wanted)
{
	AUTO(json_decrefp) json_t *schema = function_schema(field(name));
	AUTO(json_decrefp) json_t *json = json_loads(wanted, 0, NULL);

	assert_non_null(json);
	json_object_del(schema, "description");
	AUTO(mem_free) char *found = json_dumps(schema, 0);
	if (!json_equal(schema, json))
		fail_msg("%s: not %s but %s", name, wanted, found);
}

static void what_is_constant_is_in_the_schema_and_the_rest_in_its_description(void **state)
{
	(void)state;
	assert_schema("pids",
		      "{\"type\":\"integer\",\"minimum\":8,\"description\":\"Maximum number of processes and threads. "
		      "Unit: processes. Maximum: `limits.pids_max`, a setting. Default: `limits.pids_default`, a setting\"}");
	assert_schema("cpus",
		      "{\"type\":\"number\",\"minimum\":0.1,\"default\":1.0,\"description\":\"Maximum processors; with 0.5 "
		      "half the time of one. Unit: processors. Maximum: the processors of the node\"}");
	assert_constant_part("runtime",
			     "{\"type\":\"string\",\"minLength\":1,\"maxLength\":32,\"enum\":[\"docker\",\"gvisor\"]}");
	assert_constant_part("network", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":32,\"default\":\"none\","
					"\"enum\":[\"none\",\"egress\"]}");
	assert_constant_part("min_warm", "{\"type\":\"integer\",\"minimum\":0,\"default\":0}");
	assert_constant_part("environment", "{\"type\":\"object\",\"additionalProperties\":{\"type\":\"string\"},"
					    "\"propertyNames\":{\"pattern\":\"^[A-Za-z_][A-Za-z0-9_]*$\"},\"default\":{}}");
}

static void what_berth_sets_is_only_read_and_code_only_written(void **state)
{
	(void)state;
	assert_constant_part("id", "{\"type\":\"string\",\"format\":\"uuid\",\"readOnly\":true}");
	assert_constant_part("version", "{\"type\":\"integer\",\"readOnly\":true}");
	assert_constant_part("package_sha256", "{\"type\":\"string\",\"pattern\":\"^[0-9a-f]{64}$\",\"readOnly\":true}");
	assert_constant_part("code", "{\"type\":\"string\",\"minLength\":1,\"writeOnly\":true}");
}

static void every_field_has_a_schema_with_type_and_description(void **state)
{
	(void)state;
	for (const struct function_field *f = function_fields; f->name != NULL; f++) {
		AUTO(json_decrefp) json_t *schema = function_schema(f);
		const char *description = json_string_value(json_object_get(schema, "description"));
		assert_string_equal(json_string_value(json_object_get(schema, "type")), function_field_type(f));
		assert_true(strncmp(description, f->text, strlen(f->text)) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_constant_is_in_the_schema_and_the_rest_in_its_description),
		cmocka_unit_test(what_berth_sets_is_only_read_and_code_only_written),
		cmocka_unit_test(every_field_has_a_schema_with_type_and_description),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
