#include "control/functions/function_input.h"

#include "base/buf.h"
#include "base/mem.h"
#include "control/functions/function_input_error.h"
#include "tests/unit/control/functions/rules_rig.h"

/* The result of the latest parse. */
struct input {
	struct rules_rig *rig;
	struct conf *conf;
	json_t *body, *errors; /* owned by the rig */
	struct function_input input;
};

static int set_up(void **state)
{
	struct input *f = mem_alloc(sizeof(*f));
	void *rig;

	rules_rig_set_up(&rig);
	f->rig = rig;
	f->conf = f->rig->conf;
	f->errors = f->rig->errors;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct input *f = *state;
	void *rig = f->rig;

	function_input_clear(&f->input);
	json_decref(f->body);
	free(f);
	return rules_rig_tear_down(&rig);
}

static int parse(struct input *f, const char *text, const struct spec *current)
{
	json_error_t e;

	function_input_clear(&f->input);
	json_decref(f->body);
	json_array_clear(f->errors);
	f->body = json_loads(text, JSON_ALLOW_NUL, &e);
	if (f->body == NULL)
		fail_msg("%s: %s", text, e.text);
	return function_input_parse(&f->rig->rules, f->body, current, &f->input, f->errors);
}

#define MINIMAL "\"name\":\"hello\",\"language\":\"python\",\"code\":\"def handler(e, c): pass\""

/* Exactly this one mistake. */
static void assert_one_error(struct input *f, const char *text, const char *field, const char *code)
{
	if (parse(f, text, NULL) == 0)
		fail_msg("accepted: %s", text);
	rules_rig_expect(f->rig, text, field, code);
	assert_null(f->input.spec);
}

static void what_a_body_leaves_out_has_its_default(void **state)
{
	struct input *f = *state;

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
	struct input *f = *state;

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

static void what_is_missing_unknown_or_does_not_go_together_is_a_mistake(void **state)
{
	static const struct {
		const char *members, *field, *code;
	} cases[] = {
		{"\"language\":\"python\",\"code\":\"x\"", "name", "required"},
		{"\"name\":\"a\",\"code\":\"x\"", "language", "required"},
		{"\"name\":\"a\",\"language\":\"python\"", "code", "required"},
		{MINIMAL ",\"colour\":1", "colour", "unknown_field"},
		{MINIMAL ",\"id\":\"0198c0de-0000-7000-8000-000000000001\"", "id", "unknown_field"},
		{MINIMAL ",\"version\":2", "version", "unknown_field"},
		{MINIMAL ",\"cpu_millis\":1000", "cpu_millis", "unknown_field"},
		{MINIMAL ",\"timeout_ms\":null", "timeout_ms", "wrong_type"},
		{"\"name\":\"a\",\"code\":\"x\",\"language\":\"heavy\"", "memory_limit_mb", "out_of_range"},
		{MINIMAL ",\"min_warm\":3,\"max_concurrency\":2", "min_warm", "out_of_range"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[1024];
		snprintf(text, sizeof(text), "{%s}", cases[i].members);
		assert_one_error(*state, text, cases[i].field, cases[i].code);
	}
}

static void every_number_has_its_default_and_is_taken(void **state)
{
	struct input *f = *state;
	char text[300];

	for (const struct rules_rig_number *n = rules_rig_numbers; n->field != NULL; n++) {
		assert_int_equal(parse(f, "{" MINIMAL "}", NULL), 0);
		assert_int_equal(*(const int64_t *)((const char *)f->input.spec + n->member), n->by_default);
		snprintf(text, sizeof(text), "{" MINIMAL ",\"%s\":%lld}", n->field, (long long)n->max);
		assert_int_equal(parse(f, text, NULL), 0);
		assert_int_equal(*(const int64_t *)((const char *)f->input.spec + n->member), n->max);
	}
}

static void the_settings_are_defaults(void **state)
{
	struct input *f = *state;

	f->conf->limits_pids_default = 100;
	f->conf->limits_response_bytes = 2048;
	assert_int_equal(parse(f, "{" MINIMAL "}", NULL), 0);
	assert_int_equal(f->input.spec->pids, 100);
	assert_int_equal(f->input.spec->response_bytes, 2048);
}

static void the_runtime_of_who_does_not_say_is_a_setting(void **state)
{
	struct input *f = *state;

	rules_rig_set_default_runtime(f->rig, "docker");
	assert_int_equal(parse(f, "{" MINIMAL "}", NULL), 0);
	assert_string_equal(f->input.spec->runtime, "docker");
	assert_int_equal(parse(f, "{" MINIMAL ",\"runtime\":\"gvisor\"}", NULL), 0);
	assert_string_equal(f->input.spec->runtime, "gvisor");
	assert_int_equal(parse(f, "{" MINIMAL ",\"network\":\"egress\"}", NULL), 0);
}

static void a_setting_that_names_no_runtime_is_a_mistake_of_that_field(void **state)
{
	struct input *f = *state;

	rules_rig_set_default_runtime(f->rig, "runc");
	assert_one_error(f, "{" MINIMAL "}", "runtime", "invalid_value");
	assert_int_equal(parse(f, "{" MINIMAL ",\"runtime\":\"docker\"}", NULL), 0);
}

static void each_runtime_may_have_the_network(void **state)
{
	struct input *f = *state;

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
	struct input *f = *state;

	assert_int_equal(parse(f, "{\"name\":\"A!\",\"timeout_ms\":1,\"environment\":{\"1\":2,\"B\":3},\"x\":1,\"y\":2}", NULL),
			 -1);
	/* name, language and code missing, timeout_ms, two variables, two unknown */
	assert_int_equal(json_array_size(f->errors), 8);
}

static void of_many_mistakes_the_first_are_told_and_no_more_of_a_name_than_is_needed(void **state)
{
	struct input *f = *state;
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

static void an_update_keeps_what_it_does_not_say(void **state)
{
	struct input *f = *state;

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

static void without_a_version_of_the_language_the_default_is_taken_and_kept(void **state)
{
	struct input *f = *state;

	assert_int_equal(parse(f, "{" MINIMAL "}", NULL), 0);
	assert_string_equal(f->input.spec->language_version, "2");
	assert_int_equal(parse(f, "{" MINIMAL ",\"language_version\":\"1\"}", NULL), 0);
	AUTO(spec_free) struct spec *current = f->input.spec;
	f->input.spec = NULL;
	assert_int_equal(parse(f, "{\"timeout_ms\":500}", current), 0);
	assert_string_equal(f->input.spec->language_version, "1");
	assert_int_equal(parse(f, "{\"language\":\"python\",\"code\":\"x\"}", current), 0);
	assert_string_equal(f->input.spec->language_version, "1");
	assert_int_equal(parse(f, "{\"language_version\":\"2\"}", current), 0);
	assert_string_equal(f->input.spec->language_version, "2");
	/* Versions of another language are others. */
	assert_int_equal(parse(f, "{\"language\":\"heavy\",\"memory_limit_mb\":256,\"code\":\"x\"}", current), 0);
	assert_string_equal(f->input.spec->language_version, "2");
	assert_int_equal(parse(f, "{" MINIMAL ",\"language_version\":\"3\"}", NULL), -1);
	assert_int_equal(parse(f, "{" MINIMAL ",\"language_version\":2}", NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(what_a_body_leaves_out_has_its_default),
		TEST(what_a_body_says_is_taken),
		TEST(what_is_missing_unknown_or_does_not_go_together_is_a_mistake),
		TEST(every_number_has_its_default_and_is_taken),
		TEST(the_settings_are_defaults),
		TEST(the_runtime_of_who_does_not_say_is_a_setting),
		TEST(a_setting_that_names_no_runtime_is_a_mistake_of_that_field),
		TEST(each_runtime_may_have_the_network),
		TEST(all_mistakes_are_reported_together),
		TEST(of_many_mistakes_the_first_are_told_and_no_more_of_a_name_than_is_needed),
		TEST(an_update_keeps_what_it_does_not_say),
		TEST(without_a_version_of_the_language_the_default_is_taken_and_kept),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
