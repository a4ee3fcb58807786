#include "ipc/spec.h"

#include "tests/unit/unit.h"

static const char *const members[] = {
#define SPEC_STR(name)  #name,
#define SPEC_INT(name)  #name,
#define SPEC_JSON(name) #name,
#include "ipc/spec.def"
#undef SPEC_STR
#undef SPEC_INT
#undef SPEC_JSON
};

static json_t *sample(void)
{
	json_t *json = json_object();

#define SPEC_STR(name)  json_object_set_new(json, #name, json_string("text of " #name));
#define SPEC_INT(name)  json_object_set_new(json, #name, json_integer(sizeof(#name)));
#define SPEC_JSON(name) json_object_set_new(json, #name, json_pack("{s:s}", "key", "value"));
#include "ipc/spec.def"
#undef SPEC_STR
#undef SPEC_INT
#undef SPEC_JSON
	return json;
}

static void a_version_comes_back_as_it_was(void **state)
{
	AUTO(json_decrefp) json_t *json = sample();
	AUTO(spec_free) struct spec *spec = NULL;
	struct err err;

	(void)state;
	assert_ok(spec_from_json(json, &spec, &err));
	assert_string_equal(spec->handler, "text of handler");
	assert_int_equal(spec->timeout_ms, sizeof("timeout_ms"));
	AUTO(json_decrefp) json_t *again = spec_to_json(spec);
	assert_true(json_equal(json, again));
}

static void text_is_the_same_as_json(void **state)
{
	AUTO(json_decrefp) json_t *json = sample();
	AUTO(spec_free) struct spec *spec = NULL;
	char *text = json_dumps(json, JSON_COMPACT);
	struct err err;

	(void)state;
	assert_ok(spec_from_text(text, strlen(text), &spec, &err));
	AUTO(json_decrefp) json_t *again = spec_to_json(spec);
	assert_true(json_equal(json, again));
	free(text);
}

static void every_member_is_needed_with_its_type(void **state)
{
	struct spec *spec = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		AUTO(json_decrefp) json_t *json = sample();
		json_object_set_new(json, members[i], json_array());
		assert_fails(spec_from_json(json, &spec, &err), members[i]);
		json_object_del(json, members[i]);
		assert_fails(spec_from_json(json, &spec, &err), members[i]);
	}
	assert_null(spec);
}

static void other_members_are_ignored(void **state)
{
	AUTO(json_decrefp) json_t *json = sample();
	AUTO(spec_free) struct spec *spec = NULL;
	struct err err;

	(void)state;
	json_object_set_new(json, "later", json_true());
	assert_ok(spec_from_json(json, &spec, &err));
}

static void what_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = {"", "{", "null", "[]", "{\"name\":\"a\",\"name\":\"b\"}"};
	struct spec *spec = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_fails(spec_from_text(bad[i], strlen(bad[i]), &spec, &err), "function version");
	assert_null(spec);
	spec_free(&spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_version_comes_back_as_it_was),       cmocka_unit_test(text_is_the_same_as_json),
		cmocka_unit_test(every_member_is_needed_with_its_type), cmocka_unit_test(other_members_are_ignored),
		cmocka_unit_test(what_is_no_json_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
