#include "control/functions/function_rules.h"

#include "base/mem.h"
#include "tests/unit/control/functions/rules_rig.h"

/* ---- One field ---- */

/* value: JSON. */
static bool allows(struct rules_rig *rig, const char *field, const char *value)
{
	AUTO(json_decrefp) json_t *json = json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	const struct function_field *f = function_field_find(field);

	assert_non_null(json);
	assert_non_null(f);
	return function_rules_allow(&rig->rules, f, json, rig->errors);
}

static void assert_refused(struct rules_rig *rig, const char *field, const char *value, const char *told_of, const char *code)
{
	if (allows(rig, field, value))
		fail_msg("allowed: %s of %s", value, field);
	rules_rig_expect(rig, value, told_of, code);
}

static void each_mistake_has_its_field_and_code(void **state)
{
	static const struct {
		const char *field, *value, *told_of, *code;
	} cases[] = {
		{"name", "5", "name", "wrong_type"},
		{"name", "\"\"", "name", "out_of_range"},
		{"name", "\"A\"", "name", "invalid_value"},
		{"name", "\"-a\"", "name", "invalid_value"},
		{"name", "\"a/b\"", "name", "invalid_value"},
		{"name", "\"a\\u0000\"", "name", "invalid_value"},
		{"name", "\"0198c0de-0000-7000-8000-000000000001\"", "name", "invalid_value"},
		{"name", "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "name", "too_large"},
		{"language", "\"cobol\"", "language", "invalid_value"},
		{"code", "\"\"", "code", "out_of_range"},
		{"timeout_ms", "99", "timeout_ms", "out_of_range"},
		{"timeout_ms", "900001", "timeout_ms", "out_of_range"},
		{"timeout_ms", "\"3000\"", "timeout_ms", "wrong_type"},
		{"timeout_ms", "3000.5", "timeout_ms", "wrong_type"},
		{"timeout_ms", "null", "timeout_ms", "wrong_type"},
		{"memory_limit_mb", "63", "memory_limit_mb", "out_of_range"},
		{"memory_limit_mb", "3009", "memory_limit_mb", "out_of_range"},
		{"memory_limit_mb", "9223372036854775807", "memory_limit_mb", "out_of_range"},
		{"cpus", "0.09", "cpus", "out_of_range"},
		{"cpus", "1e300", "cpus", "out_of_range"},
		{"cpus", "true", "cpus", "wrong_type"},
		{"tmp_mb", "0", "tmp_mb", "out_of_range"},
		{"max_concurrency", "0", "max_concurrency", "out_of_range"},
		{"network", "\"host\"", "network", "invalid_value"},
		{"network", "1", "network", "wrong_type"},
		{"isolation", "\"per_request\"", "isolation", "invalid_value"},
		{"isolation", "\"\"", "isolation", "out_of_range"},
		{"isolation", "true", "isolation", "wrong_type"},
		{"runtime", "\"runc\"", "runtime", "invalid_value"},
		{"runtime", "\"\"", "runtime", "out_of_range"},
		{"runtime", "null", "runtime", "wrong_type"},
		{"handler", "\"handler\"", "handler", "invalid_value"},
		{"handler", "\".handler\"", "handler", "invalid_value"},
		{"handler", "\"../x.handler\"", "handler", "invalid_value"},
		{"handler", "\"/etc/x.y\"", "handler", "invalid_value"},
		{"handler", "\"a b.c\"", "handler", "invalid_value"},
		{"description", "null", "description", "wrong_type"},
		{"description", "\"a\\u0000\"", "description", "invalid_value"},
		{"environment", "[]", "environment", "wrong_type"},
		{"environment", "{\"1A\":\"x\"}", "environment.1A", "invalid_value"},
		{"environment", "{\"\":\"x\"}", "environment.", "invalid_value"},
		{"environment", "{\"A=B\":\"x\"}", "environment.A=B", "invalid_value"},
		{"environment", "{\"A\":1}", "environment.A", "wrong_type"},
		{"environment", "{\"A\":\"\\u0000\"}", "environment.A", "invalid_value"},
		{"environment", "{\"BERTH_X\":\"x\"}", "environment.BERTH_X", "reserved"},
		{"environment", "{\"NODE_OPTIONS\":\"x\"}", "environment.NODE_OPTIONS", "no_effect"},
		{"environment", "{\"LD_PRELOAD\":\"x\"}", "environment.LD_PRELOAD", "no_effect"},
		{"environment", "{\"AWS_LAMBDA_LOG_FORMAT\":\"JSON\"}", "environment.AWS_LAMBDA_LOG_FORMAT", "no_effect"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_refused(*state, cases[i].field, cases[i].value, cases[i].told_of, cases[i].code);
}

static void what_is_good_is_allowed(void **state)
{
	static const struct {
		const char *field, *value;
	} cases[] = {
		{"name", "\"0-a_z\""},
		{"language", "\"heavy\""},
		{"code", "\"\\u0000\""},
		{"handler", "\"lib/api.run\""},
		{"runtime", "\"docker\""},
		{"network", "\"egress\""},
		{"isolation", "\"per_invocation\""},
		{"description", "\"\""},
		{"description", "\"Says hello. \\n\\u00e4 | `\""},
		{"cpus", "0.1"},
		{"cpus", "1"},
		{"environment", "{\"A_1\": \"\", \"b\": \"x\"}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_true(allows(*state, cases[i].field, cases[i].value));
}

static bool allows_number(struct rules_rig *rig, const char *field, int64_t value)
{
	AUTO(mem_free) char *text = mem_printf("%lld", (long long)value);

	return allows(rig, field, text);
}

static void assert_out_of_range(struct rules_rig *rig, const char *field, int64_t value)
{
	assert_false(allows_number(rig, field, value));
	rules_rig_expect(rig, field, field, "out_of_range");
}

static void every_number_is_taken_at_its_bounds_and_refused_beyond_them(void **state)
{
	for (const struct rules_rig_number *n = rules_rig_numbers; n->field != NULL; n++) {
		assert_true(allows_number(*state, n->field, n->min));
		assert_true(allows_number(*state, n->field, n->max));
		assert_out_of_range(*state, n->field, n->min - 1);
		assert_out_of_range(*state, n->field, n->max + 1);
		assert_out_of_range(*state, n->field, INT64_MAX);
		assert_out_of_range(*state, n->field, INT64_MIN);
	}
}

static void every_number_has_to_be_a_whole_one(void **state)
{
	static const char *const others[] = {"\"100\"", "100.5", "null", "true", "[100]", "{}"};

	for (const struct rules_rig_number *n = rules_rig_numbers; n->field != NULL; n++)
		for (size_t o = 0; o < ARRAY_SIZE(others); o++)
			assert_refused(*state, n->field, others[o], n->field, "wrong_type");
}

static void the_settings_are_bounds(void **state)
{
	struct rules_rig *rig = *state;

	rig->conf->limits_pids_max = 200;
	rig->conf->limits_response_bytes = 2048;
	assert_true(allows_number(rig, "pids", 200));
	assert_out_of_range(rig, "pids", 201);
	assert_out_of_range(rig, "response_bytes", 2049);
}

static void a_function_has_to_fit_into_the_memory_of_the_node(void **state)
{
	struct rules_rig *rig = *state;

	rig->conf->pool_memory_budget_mb = 1000;
	assert_true(allows_number(rig, "memory_limit_mb", 1000));
	assert_out_of_range(rig, "memory_limit_mb", 1001);
	rig->conf->pool_memory_budget_mb = 0; /* a part of this machine's memory */
	assert_true(conf_memory_budget_mb(rig->conf) > 64);
	assert_true(allows_number(rig, "memory_limit_mb", 64));
}

static char *text_of(size_t len)
{
	char *text = mem_alloc(len + 3);

	memset(text, 'x', len + 2);
	text[0] = text[len + 1] = '"';
	return text;
}

static void sizes_are_limited(void **state)
{
	struct rules_rig *rig = *state;
	AUTO(mem_free) char *code = text_of((size_t)rig->conf->limits_code_bytes);
	AUTO(mem_free) char *more = text_of((size_t)rig->conf->limits_code_bytes + 1);
	AUTO(mem_free) char *value = text_of(32768 - 8); /* {"A":""} */
	AUTO(mem_free) char *larger = text_of(32768 - 7);
	AUTO(mem_free) char *environment = mem_printf("{\"A\": %s}", value);
	AUTO(mem_free) char *too_large = mem_printf("{\"A\": %s}", larger);

	AUTO(mem_free) char *description = text_of(512);
	AUTO(mem_free) char *too_long = text_of(513);

	assert_true(allows(rig, "description", description));
	assert_false(allows(rig, "description", too_long));
	rules_rig_expect(rig, "description", "description", "too_large");
	assert_true(allows(rig, "code", code));
	assert_false(allows(rig, "code", more));
	rules_rig_expect(rig, "code", "code", "too_large");
	assert_true(allows(rig, "environment", environment));
	assert_false(allows(rig, "environment", too_large));
	rules_rig_expect(rig, "environment", "environment", "too_large");
}

/* ---- Several fields ---- */

static struct spec *good_spec(void)
{
	struct spec *spec = spec_new();

	free(spec->language);
	free(spec->language_version);
	free(spec->runtime);
	spec->language = strdup("python");
	spec->language_version = strdup("2");
	spec->runtime = strdup("docker");
	spec->memory_limit_mb = 128;
	spec->max_concurrency = 50;
	return spec;
}

static bool is_good(struct rules_rig *rig, const struct spec *spec)
{
	function_rules_check(&rig->rules, spec, rig->errors);
	return json_array_size(rig->errors) == 0;
}

static const char *message(const struct rules_rig *rig)
{
	return json_string_value(json_object_get(json_array_get(rig->errors, 0), "message"));
}

static void assert_wrong(struct rules_rig *rig, const struct spec *spec, const char *field, const char *code, const char *words)
{
	assert_false(is_good(rig, spec));
	if (strstr(message(rig), words) == NULL)
		fail_msg("not '%s': %s", words, message(rig));
	rules_rig_expect(rig, words, field, code);
}

static void language_its_version_and_runtime_have_to_be_there_and_may_need_memory(void **state)
{
	AUTO(spec_free) struct spec *spec = good_spec();
	struct rules_rig *rig = *state;

	assert_true(is_good(rig, spec));
	free(spec->language);
	spec->language = strdup("heavy");
	assert_wrong(rig, spec, "memory_limit_mb", "out_of_range", "heavy needs a memory_limit_mb of at least 256");
	spec->memory_limit_mb = 256;
	assert_true(is_good(rig, spec));
	spec->language_version[0] = '3';
	assert_wrong(rig, spec, "language_version", "invalid_value", "There is no version '3' of heavy; available: 1, 2");
	spec->language_version[0] = '1';
	assert_true(is_good(rig, spec));
	free(spec->runtime);
	spec->runtime = strdup("runc");
	assert_wrong(rig, spec, "runtime", "invalid_value", "Unknown runtime 'runc'");
	free(spec->language);
	spec->language = strdup("cobol");
	assert_wrong(rig, spec, "language", "invalid_value", "The language 'cobol' is no longer available");
}

static void min_warm_may_not_exceed_max_concurrency(void **state)
{
	AUTO(spec_free) struct spec *spec = good_spec();

	spec->min_warm = 3;
	spec->max_concurrency = 2;
	assert_wrong(*state, spec, "min_warm", "out_of_range", "max_concurrency, which is 2");
}

static void min_warm_of_all_functions_together_leaves_room_for_requests(void **state)
{
	AUTO(spec_free) struct spec *spec = good_spec();
	struct rules_rig *rig = *state;

	rig->conf->pool_max_sandboxes = 8;
	rig->conf->pool_memory_budget_mb = 2000;
	rig->rules.others = (struct function_warm){2, 200};
	spec->min_warm = 2;
	spec->memory_limit_mb = 400;
	assert_true(is_good(rig, spec));
	spec->memory_limit_mb = 401;
	assert_wrong(rig, spec, "min_warm", "out_of_range",
		     "would keep 1002 MB ready, 802 of them for this function; the limit is 1000");
	spec->memory_limit_mb = 128;
	spec->min_warm = 3;
	assert_wrong(rig, spec, "min_warm", "out_of_range",
		     "would keep 5 sandboxes ready, 3 of them for this function; the limit is 4, so that requests have the "
		     "rest. Lower min_warm of this or another function, or raise pool.min_warm_percent");
	rig->conf->pool_min_warm_percent = 100; /* all sandboxes may be kept */
	assert_true(is_good(rig, spec));
}

/* A setting was lowered, or others were deployed at the same time. */
static void where_min_warm_is_beyond_what_may_be_less_is_allowed_and_more_is_not(void **state)
{
	AUTO(spec_free) struct spec *spec = good_spec();
	struct rules_rig *rig = *state;

	rig->conf->pool_max_sandboxes = 8;
	rig->rules.others = (struct function_warm){5, 5 * 128};
	rig->rules.before = (struct function_warm){5, 5 * 128};
	spec->min_warm = 5;
	assert_true(is_good(rig, spec));
	spec->min_warm = 4;
	assert_true(is_good(rig, spec));
	spec->min_warm = 6;
	assert_wrong(rig, spec, "min_warm", "out_of_range", "would keep 11 sandboxes ready");
	rig->rules.before.sandboxes = 0;
	spec->min_warm = 0;
	assert_true(is_good(rig, spec));
	spec->min_warm = 1;
	assert_wrong(rig, spec, "min_warm", "out_of_range", "would keep 6 sandboxes ready");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FUNCTION_TEST(each_mistake_has_its_field_and_code),
		FUNCTION_TEST(what_is_good_is_allowed),
		FUNCTION_TEST(every_number_is_taken_at_its_bounds_and_refused_beyond_them),
		FUNCTION_TEST(every_number_has_to_be_a_whole_one),
		FUNCTION_TEST(the_settings_are_bounds),
		FUNCTION_TEST(a_function_has_to_fit_into_the_memory_of_the_node),
		FUNCTION_TEST(sizes_are_limited),
		FUNCTION_TEST(language_its_version_and_runtime_have_to_be_there_and_may_need_memory),
		FUNCTION_TEST(min_warm_may_not_exceed_max_concurrency),
		FUNCTION_TEST(min_warm_of_all_functions_together_leaves_room_for_requests),
		FUNCTION_TEST(where_min_warm_is_beyond_what_may_be_less_is_allowed_and_more_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
