#include "control/functions/function_input.h"

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
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
	f->conf->pool_memory_budget_mb = 100000; /* whatever this machine has */
	f->dir = unit_make_dir();
	add_language(f->dir, "python", 64);
	add_language(f->dir, "heavy", 256);
	free(f->conf->sandbox_runtimes_dir);
	f->conf->sandbox_runtimes_dir = strdup(f->dir);
	assert_ok(language_load_all(f->conf, &f->languages, &err));
	f->rules = (struct function_rules){.conf = f->conf, .languages = f->languages};
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
	assert_string_equal(s->runtime, "gvisor");
	assert_string_equal(s->network, "none");
	assert_string_equal(s->isolation, "per_function");
	assert_int_equal(s->timeout_ms, 3000);
	assert_int_equal(s->memory_limit_mb, 128);
	assert_int_equal(s->cpu_millis, 1000);
	assert_int_equal(s->tmp_mb, 64);
	assert_int_equal(s->init_timeout_ms, 10000);
	assert_int_equal(s->tmp_inodes, 16384);
	assert_int_equal(s->pids, 64);
	assert_int_equal(s->nofile, 1024);
	assert_int_equal(s->response_bytes, 6291456);
	assert_int_equal(s->log_bytes, 262144);
	assert_int_equal(s->max_concurrency, 50);
	assert_int_equal(json_object_size(s->environment), 0);
	assert_string_equal(f->input.code, "def handler(e, c): pass");
}

static void what_a_body_says_is_taken(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(
		parse(f,
		      "{" MINIMAL
		      ",\"timeout_ms\":100,\"memory_limit_mb\":3008,\"cpus\":0.1,\"tmp_mb\":512,\"max_concurrency\":1,"
		      "\"environment\":{\"A_1\":\"x\"},\"network\":\"none\",\"runtime\":\"docker\",\"handler\":\"lib/"
		      "api.run\",\"isolation\":\"per_invocation\",\"init_timeout_ms\":101,\"tmp_inodes\":17,\"pids\":9,"
		      "\"nofile\":65,\"response_bytes\":1025,\"log_bytes\":0}",
		      NULL),
		0);
	assert_int_equal(f->input.spec->cpu_millis, 100);
	assert_int_equal(f->input.spec->timeout_ms, 100);
	assert_string_equal(f->input.spec->handler, "lib/api.run");
	assert_string_equal(f->input.spec->runtime, "docker");
	assert_string_equal(f->input.spec->isolation, "per_invocation");
	assert_int_equal(f->input.spec->init_timeout_ms, 101);
	assert_int_equal(f->input.spec->tmp_inodes, 17);
	assert_int_equal(f->input.spec->pids, 9);
	assert_int_equal(f->input.spec->nofile, 65);
	assert_int_equal(f->input.spec->response_bytes, 1025);
	assert_int_equal(f->input.spec->log_bytes, 0);
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
		{MINIMAL ",\"network\":1", "network", "wrong_type"},
		{MINIMAL ",\"isolation\":\"per_request\"", "isolation", "invalid_value"},
		{MINIMAL ",\"isolation\":\"\"", "isolation", "out_of_range"},
		{MINIMAL ",\"isolation\":true", "isolation", "wrong_type"},
		{MINIMAL ",\"runtime\":\"runc\"", "runtime", "invalid_value"},
		{MINIMAL ",\"runtime\":\"\"", "runtime", "out_of_range"},
		{MINIMAL ",\"runtime\":null", "runtime", "wrong_type"},
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
		{MINIMAL ",\"min_warm\":3,\"max_concurrency\":2", "min_warm", "out_of_range"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[1024];
		snprintf(text, sizeof(text), "{%s}", cases[i].members);
		assert_one_error(*state, text, cases[i].field, cases[i].code);
	}
}

static void a_function_has_to_fit_into_the_memory_of_the_node(void **state)
{
	struct fixture *f = *state;

	f->conf->pool_memory_budget_mb = 1000;
	f->conf->pool_min_warm_percent = 100; /* more than it may be */
	assert_int_equal(parse(f, "{" MINIMAL ",\"memory_limit_mb\":1000}", NULL), 0);
	assert_one_error(f, "{" MINIMAL ",\"memory_limit_mb\":1001}", "memory_limit_mb", "out_of_range");
	json_t *limits = function_input_limits(&f->rules);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(limits, "memory_limit_mb"), "max")), 1000);
	json_decref(limits);
	assert_int_equal(parse(f, "{" MINIMAL ",\"memory_limit_mb\":500,\"min_warm\":2}", NULL), 0);
	assert_one_error(f, "{" MINIMAL ",\"memory_limit_mb\":501,\"min_warm\":2}", "min_warm", "out_of_range");
	f->conf->pool_memory_budget_mb = 0; /* of any machine, some of its memory */
	assert_true(conf_memory_budget_mb(f->conf) > 64);
	assert_int_equal(parse(f, "{" MINIMAL ",\"memory_limit_mb\":64}", NULL), 0);
}

static const char *message(const struct fixture *f)
{
	return json_string_value(json_object_get(json_array_get(f->errors, 0), "message"));
}

static void min_warm_of_all_functions_together_leaves_room_for_requests(void **state)
{
	struct fixture *f = *state;

	f->conf->pool_max_sandboxes = 8;
	f->conf->pool_memory_budget_mb = 2000;
	f->rules.others = (struct function_warm){2, 200};
	assert_int_equal(parse(f, "{" MINIMAL ",\"min_warm\":2,\"memory_limit_mb\":400}", NULL), 0);
	assert_one_error(f, "{" MINIMAL ",\"min_warm\":3}", "min_warm", "out_of_range");
	assert_non_null(strstr(message(f), "would keep 5 sandboxes ready, 3 of them for this function; the limit is 4"));
	assert_non_null(strstr(message(f), "pool.min_warm_percent"));
	assert_one_error(f, "{" MINIMAL ",\"min_warm\":2,\"memory_limit_mb\":401}", "min_warm", "out_of_range");
	assert_non_null(strstr(message(f), "would keep 1002 MB ready, 802 of them for this function; the limit is 1000"));
}

/* A setting was lowered, or others were deployed at the same time. */
static void where_min_warm_is_beyond_what_may_be_less_is_allowed_and_more_is_not(void **state)
{
	struct fixture *f = *state;

	f->conf->pool_max_sandboxes = 8;
	f->rules.others = (struct function_warm){5, 5 * 128};
	f->rules.before = (struct function_warm){5, 5 * 128};
	assert_int_equal(parse(f, "{" MINIMAL ",\"min_warm\":5}", NULL), 0);
	assert_int_equal(parse(f, "{" MINIMAL ",\"min_warm\":4}", NULL), 0);
	assert_one_error(f, "{" MINIMAL ",\"min_warm\":6}", "min_warm", "out_of_range");
	f->rules.before.sandboxes = 0;
	assert_int_equal(parse(f, "{" MINIMAL ",\"min_warm\":0}", NULL), 0);
	assert_one_error(f, "{" MINIMAL ",\"min_warm\":1}", "min_warm", "out_of_range");
}

/* The numbers a function may say, with what they are where it is silent and how far they may go. */
static const struct {
	const char *field;
	size_t member; /* of struct spec */
	int64_t min, max, by_default;
} numbers[] = {
#define NUMBER(field, min, max, by_default)                                                                                    \
	{                                                                                                                      \
#field, offsetof(struct spec, field), min, max, by_default                                                     \
	}
	NUMBER(timeout_ms, 100, 900000, 3000),
	NUMBER(init_timeout_ms, 100, 60000, 10000),
	NUMBER(memory_limit_mb, 64, 3008, 128),
	NUMBER(tmp_mb, 1, 512, 64),
	NUMBER(tmp_inodes, 16, 131072, 16384),
	NUMBER(pids, 8, 1024, 64),
	NUMBER(nofile, 64, 65536, 1024),
	NUMBER(response_bytes, 1024, 6291456, 6291456),
	NUMBER(log_bytes, 0, 1048576, 262144),
	NUMBER(max_concurrency, 1, 1000, 50),
	NUMBER(min_warm, 0, 10, 0),
#undef NUMBER
};

static const char *with_number(size_t i, int64_t value)
{
	static char text[300];

	snprintf(text, sizeof(text), "{" MINIMAL ",\"%s\":%lld}", numbers[i].field, (long long)value);
	return text;
}

static int64_t parsed_number(const struct fixture *f, size_t i)
{
	return *(const int64_t *)((const char *)f->input.spec + numbers[i].member);
}

static void every_number_is_taken_at_its_bounds_and_refused_beyond_them(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		assert_int_equal(parse(f, "{" MINIMAL "}", NULL), 0);
		assert_int_equal(parsed_number(f, i), numbers[i].by_default);
		assert_int_equal(parse(f, with_number(i, numbers[i].min), NULL), 0);
		assert_int_equal(parsed_number(f, i), numbers[i].min);
		assert_int_equal(parse(f, with_number(i, numbers[i].max), NULL), 0);
		assert_int_equal(parsed_number(f, i), numbers[i].max);
		assert_one_error(f, with_number(i, numbers[i].min - 1), numbers[i].field, "out_of_range");
		assert_one_error(f, with_number(i, numbers[i].max + 1), numbers[i].field, "out_of_range");
		assert_one_error(f, with_number(i, INT64_MAX), numbers[i].field, "out_of_range");
		assert_one_error(f, with_number(i, INT64_MIN), numbers[i].field, "out_of_range");
	}
}

static void every_number_has_to_be_a_whole_one(void **state)
{
	static const char *const others[] = {"\"100\"", "100.5", "null", "true", "[100]", "{}"};
	char text[300];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		for (size_t o = 0; o < ARRAY_SIZE(others); o++) {
			snprintf(text, sizeof(text), "{" MINIMAL ",\"%s\":%s}", numbers[i].field, others[o]);
			assert_one_error(*state, text, numbers[i].field, "wrong_type");
		}
	}
}

static void the_settings_are_defaults_and_bounds(void **state)
{
	struct fixture *f = *state;

	f->conf->limits_pids_default = 100;
	f->conf->limits_pids_max = 200;
	f->conf->limits_response_bytes = 2048;
	assert_int_equal(parse(f, "{" MINIMAL "}", NULL), 0);
	assert_int_equal(f->input.spec->pids, 100);
	assert_int_equal(f->input.spec->response_bytes, 2048);
	assert_one_error(f, "{" MINIMAL ",\"pids\":201}", "pids", "out_of_range");
	assert_one_error(f, "{" MINIMAL ",\"response_bytes\":2049}", "response_bytes", "out_of_range");
}

static void set_default_runtime(struct fixture *f, const char *runtime)
{
	free(f->conf->sandbox_default_runtime);
	f->conf->sandbox_default_runtime = strdup(runtime);
}

static void the_runtime_of_who_does_not_say_is_a_setting(void **state)
{
	struct fixture *f = *state;

	set_default_runtime(f, "docker");
	assert_int_equal(parse(f, "{" MINIMAL "}", NULL), 0);
	assert_string_equal(f->input.spec->runtime, "docker");
	assert_int_equal(parse(f, "{" MINIMAL ",\"runtime\":\"gvisor\"}", NULL), 0);
	assert_string_equal(f->input.spec->runtime, "gvisor");
	assert_int_equal(parse(f, "{" MINIMAL ",\"network\":\"egress\"}", NULL), 0);
	AUTO(json_decrefp) json_t *limits = function_input_limits(&f->rules);
	assert_string_equal(json_string_value(json_object_get(json_object_get(limits, "runtime"), "default")), "docker");
}

static void a_setting_that_names_no_runtime_is_a_mistake_of_that_field(void **state)
{
	struct fixture *f = *state;

	set_default_runtime(f, "runc");
	assert_one_error(f, "{" MINIMAL "}", "runtime", "invalid_value");
	assert_int_equal(parse(f, "{" MINIMAL ",\"runtime\":\"docker\"}", NULL), 0);
}

static void each_runtime_may_have_the_network(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "{" MINIMAL ",\"network\":\"egress\",\"runtime\":\"docker\"}", NULL), 0);
	assert_string_equal(f->input.spec->network, "egress");
	AUTO(spec_free) struct spec *current = f->input.spec;
	f->input.spec = NULL;
	assert_int_equal(parse(f, "{\"pids\":65}", current), 0);
	assert_string_equal(f->input.spec->network, "egress");
	assert_int_equal(parse(f, "{\"runtime\":\"gvisor\"}", current), 0);
	assert_string_equal(f->input.spec->runtime, "gvisor");
	assert_string_equal(f->input.spec->network, "egress");
}

static void all_mistakes_are_reported_together(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(parse(f, "{\"name\":\"A!\",\"timeout_ms\":1,\"environment\":{\"1\":2,\"B\":3},\"x\":1,\"y\":2}", NULL),
			 -1);
	/* name, language and code missing, timeout_ms, two variables, two unknown */
	assert_int_equal(json_array_size(f->errors), 8);
}

static void of_many_mistakes_the_first_are_told_and_no_more_of_a_name_than_is_needed(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf body = {0};

	buf_add_str(&body, "{" MINIMAL ",\"");
	for (int i = 0; i < 1000; i++)
		buf_add_str(&body, "\xc3\xa4-long-name-");
	buf_add_str(&body, "\":1");
	for (int i = 0; i < 1000; i++)
		buf_printf(&body, ",\"unknown_%d\":1", i);
	buf_add_str(&body, ",\"environment\":{\"\":1");
	for (int i = 0; i < 1000; i++)
		buf_printf(&body, ",\"BERTH_%d\":1", i);
	buf_add_str(&body, "}}");
	assert_int_equal(parse(f, body.data, NULL), -1);
	assert_int_equal(json_array_size(f->errors), FUNCTION_INPUT_ERRORS_MAX);
	AUTO(mem_free) char *told = json_dumps(f->errors, 0);
	assert_true(strlen(told) < 6000);

	buf_reset(&body);
	buf_add_str(&body, "{" MINIMAL ",\"");
	for (int i = 0; i < 1000; i++)
		buf_add_str(&body, "x\xc3\xa4");
	buf_add_str(&body, "\":1}");
	assert_int_equal(parse(f, body.data, NULL), -1);
	assert_int_equal(strlen(json_string_value(json_object_get(json_array_get(f->errors, 0), "field"))), 160);
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

	assert_int_equal(json_object_size(limits), 20);
	assert_int_equal(json_integer_value(json_object_get(timeout, "min")), 100);
	assert_int_equal(json_integer_value(json_object_get(timeout, "max")), 900000);
	assert_int_equal(json_integer_value(json_object_get(timeout, "default")), 3000);
	assert_true(json_real_value(json_object_get(cpus, "min")) == 0.1);
	assert_int_equal(json_array_size(json_object_get(json_object_get(limits, "language"), "values")), 2);
	assert_true(json_is_true(json_object_get(json_object_get(limits, "name"), "required")));
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		AUTO(json_decrefp)
		json_t *wanted = json_pack("{s:s, s:b, s:I, s:I, s:I}", "type", "integer", "required", 0, "min",
					   (json_int_t)numbers[i].min, "max", (json_int_t)numbers[i].max, "default",
					   (json_int_t)numbers[i].by_default);
		assert_true(json_equal(json_object_get(limits, numbers[i].field), wanted));
	}
}

static void assert_choice(const json_t *limits, const char *field, const char *by_default, const char *other)
{
	const json_t *o = json_object_get(limits, field), *values = json_object_get(o, "values");

	assert_string_equal(json_string_value(json_object_get(o, "default")), by_default);
	assert_int_equal(json_array_size(values), 2);
	bool first = strcmp(json_string_value(json_array_get(values, 0)), by_default) == 0;
	assert_string_equal(json_string_value(json_array_get(values, first ? 0 : 1)), by_default);
	assert_string_equal(json_string_value(json_array_get(values, first ? 1 : 0)), other);
}

static void a_choice_says_what_there_is(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decrefp) json_t *limits = function_input_limits(&f->rules);

	assert_choice(limits, "runtime", "gvisor", "docker");
	assert_choice(limits, "network", "none", "egress");
	assert_choice(limits, "isolation", "per_function", "per_invocation");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(what_a_body_leaves_out_has_its_default),
		TEST(what_a_body_says_is_taken),
		TEST(each_mistake_has_its_field_and_code),
		TEST(a_function_has_to_fit_into_the_memory_of_the_node),
		TEST(min_warm_of_all_functions_together_leaves_room_for_requests),
		TEST(where_min_warm_is_beyond_what_may_be_less_is_allowed_and_more_is_not),
		TEST(every_number_is_taken_at_its_bounds_and_refused_beyond_them),
		TEST(every_number_has_to_be_a_whole_one),
		TEST(the_settings_are_defaults_and_bounds),
		TEST(the_runtime_of_who_does_not_say_is_a_setting),
		TEST(a_setting_that_names_no_runtime_is_a_mistake_of_that_field),
		TEST(each_runtime_may_have_the_network),
		TEST(all_mistakes_are_reported_together),
		TEST(of_many_mistakes_the_first_are_told_and_no_more_of_a_name_than_is_needed),
		TEST(sizes_are_limited),
		TEST(an_update_keeps_what_it_does_not_say),
		TEST(the_limits_come_from_the_table),
		TEST(a_choice_says_what_there_is),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
