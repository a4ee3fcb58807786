#include "http/problem.h"

#include "http/request.h"
#include "http/response.h"
#include "tests/unit/unit.h"

/* The answer's body, as JSON. */
static json_t *body_of(const struct response *r)
{
	const char *body = strstr(r->out.data, "\r\n\r\n");

	assert_non_null(body);
	json_t *json = json_loads(body + 4, 0, NULL);
	assert_non_null(json);
	assert_int_equal(strlen(body + 4), r->body_len);
	return json;
}

static const char *text(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static void a_problem_is_answered_as_rfc_9457_says(void **state)
{
	AUTO(response_free) struct response r = {0};
	struct request request = {.path = "/functions/x", .id = "req-1"};

	(void)state;
	response_begin(&r, &request);
	problem_respond(&r, PROBLEM_FUNCTION_TIMEOUT, json_pack("{s:i, s:s}", "limit_ms", 300, "phase", "exec"),
			"It took %d ms", 301);
	assert_int_equal(r.status, 504);
	assert_non_null(strstr(r.out.data, "Status: 504\r\n"));
	assert_non_null(strstr(r.out.data, "X-Request-Id: req-1\r\n"));
	assert_non_null(strstr(r.out.data, "Content-Type: application/problem+json\r\n"));
	assert_non_null(strstr(r.out.data, "Cache-Control: no-store\r\n"));
	assert_null(strstr(r.out.data, "Retry-After"));

	AUTO(json_decrefp) json_t *json = body_of(&r);
	assert_string_equal(text(json, "type"), "urn:berth:problem:function_timeout");
	assert_string_equal(text(json, "detail"), "It took 301 ms");
	assert_string_equal(text(json, "instance"), "/functions/x");
	assert_string_equal(text(json, "code"), "function_timeout");
	assert_string_equal(text(json, "request_id"), "req-1");
	assert_string_equal(text(json, "phase"), "exec");
	assert_int_equal(json_integer_value(json_object_get(json, "status")), 504);
	assert_int_equal(json_integer_value(json_object_get(json, "limit_ms")), 300);
}

static void a_retry_time_comes_from_the_table_or_the_problem_rounded_up(void **state)
{
	AUTO(response_free) struct response r = {0};
	AUTO(problem_clear) struct problem p = {0};
	struct request request = {.path = "/", .id = "x"};

	(void)state;
	response_begin(&r, &request);
	problem_respond(&r, PROBLEM_STORE_UNAVAILABLE, NULL, "away");
	assert_non_null(strstr(r.out.data, "Retry-After: 2\r\n"));

	response_begin(&r, &request);
	problem_set(&p, PROBLEM_THROTTLED, NULL, "busy");
	p.retry_after_ms = 2001;
	problem_send(&p, &r);
	assert_non_null(strstr(r.out.data, "Retry-After: 3\r\n"));
}

static void members_cannot_replace_what_every_problem_has(void **state)
{
	AUTO(response_free) struct response r = {0};
	struct request request = {.path = "/", .id = "x"};

	(void)state;
	response_begin(&r, &request);
	problem_respond(&r, PROBLEM_NOT_FOUND, json_pack("{s:s}", "code", "forged"), "none");
	AUTO(json_decrefp) json_t *json = body_of(&r);
	assert_string_equal(text(json, "code"), "not_found");
}

static void text_that_is_not_utf8_does_not_break_the_answer(void **state)
{
	AUTO(response_free) struct response r = {0};
	struct request request = {.path = "/\xff", .id = "x"};

	(void)state;
	response_begin(&r, &request);
	problem_respond(&r, PROBLEM_NOT_FOUND, NULL, "there is no \xff\xfe");
	AUTO(json_decrefp) json_t *json = body_of(&r);
	assert_string_equal(text(json, "instance"), "/?");
	assert_string_equal(text(json, "detail"), "there is no ??");
}

static void a_header_value_cannot_add_a_header(void **state)
{
	AUTO(response_free) struct response r = {0};
	struct request request = {.path = "/", .id = "x"};

	(void)state;
	response_begin(&r, &request);
	response_header(&r, "Location", "/a\r\nSet-Cookie: b");
	response_no_content(&r);
	assert_non_null(strstr(r.out.data, "Location: /a  Set-Cookie: b\r\n"));
	assert_null(strstr(r.out.data, "Content-Length"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_problem_is_answered_as_rfc_9457_says),
		cmocka_unit_test(a_retry_time_comes_from_the_table_or_the_problem_rounded_up),
		cmocka_unit_test(members_cannot_replace_what_every_problem_has),
		cmocka_unit_test(text_that_is_not_utf8_does_not_break_the_answer),
		cmocka_unit_test(a_header_value_cannot_add_a_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
