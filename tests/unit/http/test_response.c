#include "http/response.h"

#include "http/request.h"
#include "tests/unit/unit.h"

static struct request request;

static int begin(void **state)
{
	struct response *r = calloc(1, sizeof(*r));

	snprintf(request.id, sizeof(request.id), "req-1");
	response_begin(r, &request);
	*state = r;
	return 0;
}

static int end(void **state)
{
	response_free(*state);
	free(*state);
	return 0;
}

static void a_body_is_its_parts_with_the_headers_in_front(void **state)
{
	const struct str parts[] = {STR("{\"output\":"), STR("1"), STR("}")};
	struct response *r = *state;

	response_header(r, "Retry-After", "%d", 2);
	response_body(r, 429, "application/json", parts, ARRAY_SIZE(parts));
	assert_int_equal(r->status, 429);
	assert_int_equal(r->body_len, 12);
	assert_string_equal(buf_str(&r->out),
			    "Status: 429\r\nX-Request-Id: req-1\r\nCache-Control: no-store\r\nRetry-After: 2\r\n"
			    "Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"output\":1}");
}

static void no_value_can_add_a_header(void **state)
{
	struct response *r = *state;

	response_header(r, "Location", "/functions/%s", "a\r\nSet-Cookie: b\x7f");
	response_no_content(r);
	assert_non_null(strstr(r->out.data, "\r\nLocation: /functions/a  Set-Cookie: b \r\n"));
	assert_null(strstr(r->out.data, "\nSet-Cookie"));
}

static void what_has_no_content_says_so(void **state)
{
	struct response *r = *state;

	response_no_content(r);
	assert_int_equal(r->status, 204);
	assert_string_equal(buf_str(&r->out), "Status: 204\r\nX-Request-Id: req-1\r\nCache-Control: no-store\r\n\r\n");
}

static void json_is_written_in_as_few_bytes_as_it_needs(void **state)
{
	struct response *r = *state;
	AUTO(json_decrefp) json_t *json = json_pack("{s:f, s:[i,n]}", "a", 0.1, "b", 1);

	response_json(r, 200, "application/json", json);
	assert_string_equal(strstr(r->out.data, "\r\n\r\n"), "\r\n\r\n{\"a\":0.1,\"b\":[1,null]}");
}

static void one_is_used_again_for_the_next_request(void **state)
{
	struct response *r = *state;

	response_header(r, "Allow", "POST");
	response_no_content(r);
	response_trim(r);
	response_begin(r, &request);
	assert_int_equal(r->status, 0);
	response_no_content(r);
	assert_null(strstr(r->out.data, "Allow"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_body_is_its_parts_with_the_headers_in_front),
		TEST(no_value_can_add_a_header),
		TEST(what_has_no_content_says_so),
		TEST(json_is_written_in_as_few_bytes_as_it_needs),
		TEST(one_is_used_again_for_the_next_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
