#include "worker/function_input.h"

#include <sys/stat.h>

#include "tests/unit/unit.h"

struct fixture {
	struct conf *conf;
	char *dir;
	struct language *languages;
	struct function_rules rules;
	json_t *body, *errors;
	struct function_input input;
};

static void add_language(const char *dir, const char *name, int min_memory_mb)
{
	char path[200], text[400];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/%s/runtime.json", dir, name);
	snprintf(text, sizeof(text),
		 "{\"language\":\"%s\",\"image\":\"i\",\"command\":[\"x\"],\"source_file\":\"main.x\",\"default_handler\":"
		 "\"main.handler\","
		 "\"min_memory_mb\":%d}",
		 name, min_memory_mb);
	unit_write_file(path, text);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err = {0};

	assert_ok(conf_load_file(NULL, &f->conf, &err));
	f->dir = unit_make_dir();
	add_language(f->dir, "python", 64);
	add_language(f->dir, "heavy", 256);
	free(f->conf->sandbox_runtimes_dir);
	f->conf->sandbox_runtimes_dir = strdup(f->dir);
	assert_ok(language_load_all(f->conf, &f->languages, &err));
	f->rules = (struct function_rules){f->conf, f->languages};
	f->errors = json_array();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	function_input_clear(&f->input);
	json_decref(f->body);
	json_decref(f->errors);
	language_free(&f->languages);
	conf_free(&f->conf);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

static int parse(struct fixture *f, const char *text, const struct spec *current)
{
	json_error_t e;

	function_input_clear(&f->input);
	json_decref(f->body);
	json_array_clear(f->errors);
	f->body = json_loads(text, JSON_ALLOW_NUL, &e);
	if (f->body == NULL)
		fail_msg("%s: %s", text, e.text);
	return function_input_parse(&f->rules, f->body, current, &f->input, f->errors);
}

#define MINIMAL "\"name\":\"hello\",\"language\":\"python\",\"code\":\"def handler(e, c): pass\""

/* Exactly this one mistake. */
static void assert_one_error(struct fixture *f, const char *text, const char *field, const char *code)
{
	if (parse(f, text, NULL) == 0)
		fail_msg("accepted: %s", text);
	const json_t *e = json_array_get(f->errors, 0);
	if (json_array_size(f->errors) != 1 || strcmp(json_string_value(json_object_get(e, "field")), field) != 0 ||
	    strcmp(json_string_value(json_object_get(e, "code")), code) != 0)
		fail_msg("%s: expected %s of %s, got %s", text, code, field, json_dumps(f->errors, 0));
	assert_true(strlen(json_string_value(json_object_get(e, "message"))) > 10);
	assert_null(f->input.spec);
}

static void what_a_body_leaves_out_has_its_default(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "{" MINIMAL "}", NULL), 0);
	const struct spec *s = f->input.spec;
	assert_string_equal(s->name, "hello");
	assert_string_equal(s->handler, "main.handler");
	assert_string_equal(s->runtime, "docker");
	assert_string_equal(s->network, "none");
	assert_int_equal(s->timeout_ms, 3000);
	assert_int_equal(s->memory_limit_mb, 128);
	assert_int_equal(s->cpu_millis, 1000);
	assert_int_equal(s->tmp_mb, 64);
	assert_int_equal(s->max_concurrency, 50);
	assert_int_equal(json_object_size(s->environment), 0);
	assert_string_equal(f->input.code, "def handler(e, c): pass");
}

static void what_a_body_says_is_taken(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f,
			       "{" MINIMAL
			       ",\"timeout_ms\":100,\"memory_limit_mb\":3008,\"cpus\":0.1,\"tmp_mb\":512,\"max_concurrency\":1,"
			       "\"environment\":{\"A_1\":\"x\"},\"network\":\"none\",\"runtime\":\"docker\",\"handler\":\"lib/"
			       "api.run\"}",
			       NULL),
			 0);
	assert_int_equal(f->input.spec->cpu_millis, 100);
	assert_int_equal(f->input.spec->timeout_ms, 100);
	assert_string_equal(f->input.spec->handler, "lib/api.run");
	assert_string_equal(json_string_value(json_object_get(f->input.spec->environment, "A_1")), "x");
}

static void each_mistake_has_its_field_and_code(void **state)
{
	static const struct {
		const char *members, *field, *code;
	} cases[] = {
		{"\"language\":\"python\",\"code\":\"x\"", "name", "required"},
		{"\"name\":\"a\",\"code\":\"x\"", "language", "required"},
		{"\"name\":\"a\",\"language\":\"python\"", "code", "required"},
		{"\"name\":5,\"language\":\"python\",\"code\":\"x\"", "name", "wrong_type"},
		{"\"name\":\"\",\"language\":\"python\",\"code\":\"x\"", "name", "out_of_range"},
		{"\"name\":\"A\",\"language\":\"python\",\"code\":\"x\"", "name", "invalid_value"},
		{"\"name\":\"-a\",\"language\":\"python\",\"code\":\"x\"", "name", "invalid_value"},
		{"\"name\":\"a/b\",\"language\":\"python\",\"code\":\"x\"", "name", "invalid_value"},
		{"\"name\":\"a\\u0000\",\"language\":\"python\",\"code\":\"x\"", "name", "invalid_value"},
		{"\"name\":\"0198c0de-0000-7000-8000-000000000001\",\"language\":\"python\",\"code\":\"x\"", "name",
		 "invalid_value"},
		{"\"name\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"language\":\"python\","
		 "\"code\":\"x\"",
		 "name", "too_large"},
		{"\"name\":\"a\",\"language\":\"cobol\",\"code\":\"x\"", "language", "invalid_value"},
		{"\"name\":\"a\",\"language\":\"python\",\"code\":\"\"", "code", "out_of_range"},
		{MINIMAL ",\"colour\":1", "colour", "unknown_field"},
		{MINIMAL ",\"timeout_ms\":99", "timeout_ms", "out_of_range"},
		{MINIMAL ",\"timeout_ms\":900001", "timeout_ms", "out_of_range"},
		{MINIMAL ",\"timeout_ms\":\"3000\"", "timeout_ms", "wrong_type"},
		{MINIMAL ",\"timeout_ms\":3000.5", "timeout_ms", "wrong_type"},
		{MINIMAL ",\"timeout_ms\":null", "timeout_ms", "wrong_type"},
		{MINIMAL ",\"memory_limit_mb\":63", "memory_limit_mb", "out_of_range"},
		{MINIMAL ",\"memory_limit_mb\":3009", "memory_limit_mb", "out_of_range"},
		{MINIMAL ",\"memory_limit_mb\":9223372036854775807", "memory_limit_mb", "out_of_range"},
		{MINIMAL ",\"cpus\":0.09", "cpus", "out_of_range"},
		{MINIMAL ",\"cpus\":1e300", "cpus", "out_of_range"},
		{MINIMAL ",\"cpus\":true", "cpus", "wrong_type"},
		{MINIMAL ",\"tmp_mb\":0", "tmp_mb", "out_of_range"},
		{MINIMAL ",\"max_concurrency\":0", "max_concurrency", "out_of_range"},
		{MINIMAL ",\"network\":\"host\"", "network", "invalid_value"},
		{MINIMAL ",\"runtime\":\"runc\"", "runtime", "invalid_value"},
		{MINIMAL ",\"handler\":\"handler\"", "handler", "invalid_value"},
		{MINIMAL ",\"handler\":\".handler\"", "handler", "invalid_value"},
		{MINIMAL ",\"handler\":\"../x.handler\"", "handler", "invalid_value"},
		{MINIMAL ",\"handler\":\"/etc/x.y\"", "handler", "invalid_value"},
		{MINIMAL ",\"handler\":\"a b.c\"", "handler", "invalid_value"},
		{MINIMAL ",\"environment\":[]", "environment", "wrong_type"},
		{MINIMAL ",\"environment\":{\"1A\":\"x\"}", "environment.1A", "invalid_value"},
		{MINIMAL ",\"environment\":{\"\":\"x\"}", "environment.", "invalid_value"},
		{MINIMAL ",\"environment\":{\"A=B\":\"x\"}", "environment.A=B", "invalid_value"},
		{MINIMAL ",\"environment\":{\"A\":1}", "environment.A", "wrong_type"},
		{MINIMAL ",\"environment\":{\"A\":\"\\u0000\"}", "environment.A", "invalid_value"},
		{MINIMAL ",\"environment\":{\"BERTH_X\":\"x\"}", "environment.BERTH_X", "reserved"},
		{"\"name\":\"a\",\"code\":\"x\",\"language\":\"heavy\"", "memory_limit_mb", "out_of_range"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[1024];
		snprintf(text, sizeof(text), "{%s}", cases[i].members);
		assert_one_error(*state, text, cases[i].field, cases[i].code);
	}
}

static void all_mistakes_are_reported_together(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "{\"name\":\"A!\",\"timeout_ms\":1,\"environment\":{\"1\":2,\"B\":3},\"x\":1,\"y\":2}", NULL),
			 -1);
	/* name, language and code missing, timeout_ms, two variables, two unknown */
	assert_int_equal(json_array_size(f->errors), 8);
}

static void sizes_are_limited(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decrefp) json_t *body = json_pack("{s:s, s:s}", "name", "a", "language", "python");
	char *big = malloc((size_t)f->conf->limits_code_bytes + 2);

	memset(big, 'x', (size_t)f->conf->limits_code_bytes + 1);
	big[f->conf->limits_code_bytes + 1] = '\0';
	json_object_set_new(body, "code", json_string(big));
	assert_int_equal(function_input_parse(&f->rules, body, NULL, &f->input, f->errors), -1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(f->errors, 0), "code")), "too_large");
	big[f->conf->limits_code_bytes] = '\0';
	json_object_set_new(body, "code", json_string(big));
	json_array_clear(f->errors);
	assert_int_equal(function_input_parse(&f->rules, body, NULL, &f->input, f->errors), 0);
	function_input_clear(&f->input);

	big[32768 - 8] = '\0'; /* {"A":""} */
	json_object_set_new(body, "environment", json_pack("{s:s}", "A", big));
	json_object_set_new(body, "code", json_string("x"));
	assert_int_equal(function_input_parse(&f->rules, body, NULL, &f->input, f->errors), 0);
	function_input_clear(&f->input);
	big[32768 - 8] = 'x';
	big[32768 - 7] = '\0';
	json_object_set_new(body, "environment", json_pack("{s:s}", "A", big));
	assert_int_equal(function_input_parse(&f->rules, body, NULL, &f->input, f->errors), -1);
	free(big);
}

static void an_update_keeps_what_it_does_not_say(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "{" MINIMAL ",\"timeout_ms\":500,\"environment\":{\"A\":\"1\"}}", NULL), 0);
	AUTO(spec_free) struct spec *current = f->input.spec;
	f->input.spec = NULL;
	assert_int_equal(parse(f, "{\"memory_limit_mb\":256}", current), 0);
	assert_string_equal(f->input.spec->name, "hello");
	assert_int_equal(f->input.spec->timeout_ms, 500);
	assert_int_equal(f->input.spec->memory_limit_mb, 256);
	assert_int_equal(json_object_size(f->input.spec->environment), 1);
	assert_null(f->input.code);
	assert_int_equal(current->memory_limit_mb, 128);

	assert_int_equal(parse(f, "{\"language\":\"heavy\",\"memory_limit_mb\":256}", current), -1); /* needs code */
	assert_int_equal(parse(f, "{\"language\":\"heavy\",\"memory_limit_mb\":256,\"code\":\"x\"}", current), 0);
}

static void the_limits_come_from_the_table(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decrefp) json_t *limits = function_input_limits(&f->rules);
	const json_t *timeout = json_object_get(limits, "timeout_ms"), *cpus = json_object_get(limits, "cpus");

	assert_int_equal(json_object_size(limits), 12);
	assert_int_equal(json_integer_value(json_object_get(timeout, "min")), 100);
	assert_int_equal(json_integer_value(json_object_get(timeout, "max")), 900000);
	assert_int_equal(json_integer_value(json_object_get(timeout, "default")), 3000);
	assert_true(json_real_value(json_object_get(cpus, "min")) == 0.1);
	assert_int_equal(json_array_size(json_object_get(json_object_get(limits, "language"), "values")), 2);
	assert_true(json_is_true(json_object_get(json_object_get(limits, "name"), "required")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(what_a_body_leaves_out_has_its_default),
		TEST(what_a_body_says_is_taken),
		TEST(each_mistake_has_its_field_and_code),
		TEST(all_mistakes_are_reported_together),
		TEST(sizes_are_limited),
		TEST(an_update_keeps_what_it_does_not_say),
		TEST(the_limits_come_from_the_table),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
