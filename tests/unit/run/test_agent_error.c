#include "run/agent_error.h"

#include "tests/unit/unit.h"

static void parse(const char *payload, struct mask *mask, struct agent_error *e)
{
	struct err err;

	assert_ok(agent_error_parse(payload, strlen(payload), mask, e, &err));
}

static const char *stack_line(const struct agent_error *e, size_t i)
{
	return json_string_value(json_array_get(json_object_get(e->error, "stack"), i));
}

static void what_the_agent_says_is_taken_over(void **state)
{
	AUTO(agent_error_clear) struct agent_error e = {0};

	(void)state;
	parse("{\"kind\": \"function\", \"invocation_id\": \"r-1\", \"type\": \"ValueError\", \"message\": \"no\\n\\u00e4\","
	      " \"stack\": [\"main.py:1\", \"main.py:2\"], \"line\": 7, \"size_bytes\": 9, \"exiting\": true}",
	      NULL, &e);
	assert_string_equal(e.kind, "function");
	assert_string_equal(e.invocation_id, "r-1");
	assert_string_equal(agent_error_type(&e), "ValueError");
	assert_string_equal(agent_error_message(&e), "no\nä");
	assert_string_equal(stack_line(&e, 1), "main.py:2");
	assert_int_equal(e.line, 7);
	assert_int_equal(e.size_bytes, 9);
	assert_true(e.exiting);
}

static void members_of_another_type_count_as_absent(void **state)
{
	AUTO(agent_error_clear) struct agent_error e = {0};

	(void)state;
	parse("{\"kind\": 1, \"type\": [], \"message\": {}, \"stack\": [3, \"x\"], \"line\": \"7\", \"exiting\": 1}", NULL, &e);
	assert_string_equal(e.kind, "");
	assert_string_equal(agent_error_type(&e), "");
	assert_string_equal(agent_error_message(&e), "");
	assert_string_equal(stack_line(&e, 0), "");
	assert_string_equal(stack_line(&e, 1), "x");
	assert_int_equal(e.line, 0);
	assert_false(e.exiting);
}

static void what_is_no_object_breaks_the_protocol(void **state)
{
	static const char *const payloads[] = {"", "[]", "{", "null"};
	struct agent_error e = {0};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(payloads); i++)
		assert_fails(agent_error_parse(payloads[i], strlen(payloads[i]), NULL, &e, &err), "no JSON object");
	AUTO(buf_free) struct buf large = {0};
	memset(buf_reserve(&large, AGENT_ERROR_MAX + 1), ' ', AGENT_ERROR_MAX + 1);
	assert_fails(agent_error_parse(large.data, AGENT_ERROR_MAX + 1, NULL, &e, &err), "131073 bytes");
	buf_add_str(&large, "{\"stack\":[");
	for (int i = 0; i < 40000; i++)
		buf_add_str(&large, "{},");
	buf_add_str(&large, "{}]}");
	assert_fails(agent_error_parse(large.data, large.len, NULL, &e, &err), "too many members and elements");
}

static void secrets_are_masked_wherever_they_are_even_where_the_text_is_cut(void **state)
{
	static const char secrets[] = "staple-1\0a\"quoted\" one\0";
	AUTO(mask_free) struct mask *mask = mask_new(secrets, sizeof(secrets) - 1);
	AUTO(agent_error_clear) struct agent_error e = {0}, cut = {0}, cut_by_agent = {0};
	AUTO(buf_free) struct buf payload = {0};

	(void)state;
	parse("{\"type\": \"staple-1Error\", \"message\": \"not a\\\"quoted\\\" one, staple-1staple-1\", \"stack\": [\"at "
	      "staple-1\"]}",
	      mask, &e);
	assert_string_equal(agent_error_type(&e), "***Error");
	assert_string_equal(agent_error_message(&e), "not ***, ******");
	assert_string_equal(stack_line(&e, 0), "at ***");

	buf_printf(&payload, "{\"stack\": [\"%*s\"]}", 515, "staple-1"); /* 512 are kept */
	parse(payload.data, mask, &cut);
	assert_null(strstr(stack_line(&cut, 0), "stap"));

	buf_reset(&payload);
	buf_printf(&payload, "{\"stack\": [\"%*s\"]}", 510, "stapl");
	parse(payload.data, mask, &cut_by_agent);
	assert_null(strstr(stack_line(&cut_by_agent, 0), "stap"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_agent_says_is_taken_over),
		cmocka_unit_test(members_of_another_type_count_as_absent),
		cmocka_unit_test(what_is_no_object_breaks_the_protocol),
		cmocka_unit_test(secrets_are_masked_wherever_they_are_even_where_the_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
