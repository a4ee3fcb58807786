#include "ipc/spec.h"

#include "tests/unit/unit.h"

static json_t *sample_member(const struct spec_member *m)
{
	switch (m->kind) {
	case SPEC_STR:
		return json_sprintf("text of %s", m->name);
	case SPEC_INT:
		return json_integer((json_int_t)strlen(m->name));
	case SPEC_JSON:
		return json_pack("{s:s}", "key", "value");
	}
	return NULL;
}

static json_t *sample(void)
{
	json_t *json = json_object();

	for (int i = 0; i < SPEC_MEMBERS; i++)
		json_object_set_new(json, spec_members[i].name, sample_member(&spec_members[i]));
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
	assert_int_equal(spec->timeout_ms, strlen("timeout_ms"));
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
	for (int i = 0; i < SPEC_MEMBERS; i++) {
		AUTO(json_decrefp) json_t *json = sample();
		json_object_set_new(json, spec_members[i].name, json_array());
		assert_fails(spec_from_json(json, &spec, &err), spec_members[i].name);
		json_object_del(json, spec_members[i].name);
		assert_fails(spec_from_json(json, &spec, &err), spec_members[i].name);
	}
	assert_null(spec);
}

static void a_new_one_has_every_member_and_nothing_in_it(void **state)
{
	AUTO(spec_free) struct spec *spec = spec_new();
	AUTO(json_decrefp) json_t *json = spec_to_json(spec);
	struct spec *again;
	struct err err;

	(void)state;
	assert_string_equal(spec->name, "");
	assert_int_equal(spec->pids, 0);
	assert_int_equal(json_object_size(spec->environment), 0);
	assert_ok(spec_from_json(json, &again, &err));
	spec_free(&again);
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
		cmocka_unit_test(a_version_comes_back_as_it_was),
		cmocka_unit_test(text_is_the_same_as_json),
		cmocka_unit_test(every_member_is_needed_with_its_type),
		cmocka_unit_test(other_members_are_ignored),
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(a_new_one_has_every_member_and_nothing_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
