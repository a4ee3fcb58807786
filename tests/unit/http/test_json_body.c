#include "http/json_body.h"

#include <string.h>

#include "base/mem.h"
#include "http/request.h"
#include "tests/unit/unit.h"

static const struct json_member_rule rules[] = {{"input", false}, {"parameters", true}, {NULL, false}};

/* Checks exactly these bytes: one more that is read shows in a sanitized build. */
static int check(const char *body, size_t len, struct problem *problem)
{
	AUTO(mem_free) char *copy = mem_alloc(len + 1);
	struct request request = {.body = copy, .body_len = len};

	memcpy(copy, body, len);
	memset(problem, 0, sizeof(*problem));
	return json_body_check(&request, rules, problem);
}

static void assert_passes(const char *body)
{
	AUTO(problem_clear) struct problem problem;

	if (check(body, strlen(body), &problem) != 0)
		fail_msg("%s: %s", body, problem_detail(&problem));
}

static void assert_refused_len(const char *body, size_t len, enum problem_code code, const char *words)
{
	AUTO(problem_clear) struct problem problem;

	assert_int_equal(check(body, len, &problem), -1);
	assert_string_equal(problem_name(problem.code), problem_name(code));
	if (strstr(problem_detail(&problem), words) == NULL)
		fail_msg("%s: '%s' does not say '%s'", body, problem_detail(&problem), words);
}

static void assert_refused(const char *body, enum problem_code code, const char *words)
{
	assert_refused_len(body, strlen(body), code, words);
}

static void nothing_and_objects_of_known_members_pass_as_they_are(void **state)
{
	(void)state;
	assert_passes("");
	assert_passes("{}");
	assert_passes(" \t\r\n{ } ");
	assert_passes("{\"input\": null}");
	assert_passes("{\"input\": {\"what\": [\"is\", {\"below\": 1}]}, \"parameters\": {\"parameters\": 1, \"other\": []}}");
}

static void a_member_that_is_not_known_is_named(void **state)
{
	(void)state;
	assert_refused("{\"inputs\": 1}", PROBLEM_INVALID_REQUEST, "Unknown field 'inputs'");
	assert_refused("{\"inpu\": 1}", PROBLEM_INVALID_REQUEST, "'inpu'");
	assert_refused("{\"\": 1}", PROBLEM_INVALID_REQUEST, "''");
	assert_refused("{\"input\": 1, \"Input\": 1}", PROBLEM_INVALID_REQUEST, "'Input'");
	assert_refused("{\"input\\u0000\": 1}", PROBLEM_INVALID_REQUEST, "input\\u0000");
}

static void a_long_name_is_cut_between_two_characters(void **state)
{
	/* 63 letters, and a character of two bytes where the 64th ends. */
	const char *letters = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk";
	AUTO(mem_free) char *body = mem_printf("{\"%s\xc3\xa4 and more\": 1}", letters);
	AUTO(mem_free) char *words = mem_printf("'%s'", letters);

	(void)state;
	assert_int_equal(strlen(letters), 63);
	assert_refused(body, PROBLEM_INVALID_REQUEST, words);
}

static void a_member_that_has_to_be_an_object_is_one(void **state)
{
	static const char *const others[] = {"null", "true", "1", "\"{}\"", "[{}]"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		AUTO(mem_free) char *body = mem_printf("{\"parameters\": %s}", others[i]);
		assert_refused(body, PROBLEM_INVALID_REQUEST, "parameters must be an object");
	}
}

static void what_is_no_object_is_refused(void **state)
{
	(void)state;
	assert_refused("null", PROBLEM_INVALID_REQUEST, "must be a JSON object");
	assert_refused(" [{\"input\": 1}]", PROBLEM_INVALID_REQUEST, "must be a JSON object");
	assert_refused("\"{\"", PROBLEM_INVALID_REQUEST, "must be a JSON object");
}

static void what_is_no_json_is_refused_with_its_place(void **state)
{
	static const char nul[] = "{\"input\": 1}\0{\"other\": 1}";

	(void)state;
	assert_refused("{\"input\": 1", PROBLEM_INVALID_JSON, "line 1");
	assert_refused("{\n\"input\": 1,\n}", PROBLEM_INVALID_JSON, "line 3 column 1");
	assert_refused("{\"input\": \"\xff\"}", PROBLEM_INVALID_JSON, "line 1");
	assert_refused("{} {}", PROBLEM_INVALID_JSON, "line 1");
	assert_refused(" ", PROBLEM_INVALID_JSON, "line 1");
	assert_refused_len(nul, sizeof(nul) - 1, PROBLEM_INVALID_JSON, "line 1 column 13");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_and_objects_of_known_members_pass_as_they_are),
		cmocka_unit_test(a_member_that_is_not_known_is_named),
		cmocka_unit_test(a_long_name_is_cut_between_two_characters),
		cmocka_unit_test(a_member_that_has_to_be_an_object_is_one),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
