#include "collector/spans.h"

#include <jansson.h>

#include "base/mem.h"
#include "tests/unit/unit.h"

static struct record sample(void)
{
	struct record r = {
		.version = 7,
		.request_id = STR("req-1"),
		.requested_at_us = 1700000000123456,
		.response_us = 10000,
		.queue_us = 2000,
		.init_us = 3000,
		.exec_us = 4000,
		.start_kind = IPC_START_COLD,
		.runtime = STR("gvisor"),
		.status = 200,
		.error_code = STR(""),
		.error_message = STR(""),
	};

	assert_true(uuid_parse("01a21443-f275-71d3-b2a5-856af5c6096d", &r.invocation_id));
	assert_true(uuid_parse("0af76519-16cd-43dd-8448-eb211c80319c", &r.trace_id));
	return r;
}

/* The spans of the request that tells of that record. */
static json_t *spans_of(const struct record *r, json_t **request)
{
	AUTO(buf_free) struct buf spans = {0}, body = {0};
	json_error_t error;
	json_t *all;

	int count = spans_add(&spans, r);
	spans_request(&body, "node-1", &spans);
	*request = json_loadb(body.data, body.len, 0, &error);
	if (*request == NULL)
		fail_msg("no JSON: %s", error.text);
	assert_int_equal(json_unpack(*request, "{s:[{s:[{s:o}]}]}", "resourceSpans", "scopeSpans", "spans", &all), 0);
	assert_int_equal(json_array_size(all), count);
	return all;
}

static const char *text_of(const json_t *span, const char *name)
{
	return json_string_value(json_object_get(span, name));
}

static const char *attribute(const json_t *attributes, const char *key, const char *type)
{
	json_t *one;
	size_t i;

	json_array_foreach (attributes, i, one)
		if (strcmp(text_of(one, "key"), key) == 0)
			return text_of(json_object_get(one, "value"), type);
	return NULL;
}

static void an_invocation_is_a_span_with_a_child_per_phase(void **state)
{
	static const struct {
		const char *name, *from, *to;
	} rows[] = {
		{"execute", "1700000000123456000", "1700000000133456000"},
		{"queue", "1700000000123456000", "1700000000125456000"},
		{"init", "1700000000125456000", "1700000000128456000"},
		{"exec", "1700000000128456000", "1700000000132456000"},
	};
	struct record r = sample();
	AUTO(json_decrefp) json_t *request = NULL;
	json_t *spans = spans_of(&r, &request);

	(void)state;
	assert_int_equal(json_array_size(spans), ARRAY_SIZE(rows));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const json_t *span = json_array_get(spans, i);
		assert_string_equal(text_of(span, "name"), rows[i].name);
		assert_string_equal(text_of(span, "startTimeUnixNano"), rows[i].from);
		assert_string_equal(text_of(span, "endTimeUnixNano"), rows[i].to);
		assert_string_equal(text_of(span, "traceId"), "0af7651916cd43dd8448eb211c80319c");
		assert_int_equal(strlen(text_of(span, "spanId")), 16);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(text_of(span, "spanId"), text_of(json_array_get(spans, j), "spanId"));
		if (i > 0)
			assert_string_equal(text_of(span, "parentSpanId"), "b2a5856af5c6096d");
	}
	const json_t *whole = json_array_get(spans, 0);
	assert_string_equal(text_of(whole, "spanId"), "b2a5856af5c6096d");
	assert_null(json_object_get(whole, "parentSpanId"));
	const json_t *a = json_object_get(whole, "attributes");
	assert_string_equal(attribute(a, "faas.invocation_id", "stringValue"), "01a21443-f275-71d3-b2a5-856af5c6096d");
	assert_string_equal(attribute(a, "berth.runtime", "stringValue"), "gvisor");
	assert_string_equal(attribute(a, "faas.version", "intValue"), "7");
	assert_string_equal(attribute(a, "http.response.status_code", "intValue"), "200");
	assert_null(attribute(a, "error.type", "stringValue"));
	assert_int_equal(json_integer_value(json_object_get(json_object_get(whole, "status"), "code")), 1);
}

static void a_failure_says_so_under_its_caller_and_phases_that_were_not_are_left_out(void **state)
{
	struct record r = sample();
	AUTO(json_decrefp) json_t *request = NULL;

	(void)state;
	r.parent_span_id = 0xb7ad6b7169203331;
	r.init_us = 0;
	r.exec_us = 0;
	r.error_code = STR("function_error");
	r.error_message = STR("it \"broke\"\n");
	json_t *spans = spans_of(&r, &request);
	assert_int_equal(json_array_size(spans), 2);
	const json_t *whole = json_array_get(spans, 0), *status = json_object_get(whole, "status");
	assert_string_equal(text_of(whole, "parentSpanId"), "b7ad6b7169203331");
	assert_int_equal(json_integer_value(json_object_get(status, "code")), 2);
	assert_string_equal(text_of(status, "message"), "it \"broke\"\n");
	assert_string_equal(attribute(json_object_get(whole, "attributes"), "error.type", "stringValue"), "function_error");
}

static void text_that_is_no_text_is_left_out(void **state)
{
	struct record r = sample();
	AUTO(json_decrefp) json_t *request = NULL;

	(void)state;
	r.error_code = STR("function_error");
	r.error_message = STR("\xff\xfe");
	r.runtime = STR("\xc3");
	const json_t *whole = json_array_get(spans_of(&r, &request), 0);
	assert_null(json_object_get(json_object_get(whole, "status"), "message"));
	assert_null(attribute(json_object_get(whole, "attributes"), "berth.runtime", "stringValue"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_invocation_is_a_span_with_a_child_per_phase),
		cmocka_unit_test(a_failure_says_so_under_its_caller_and_phases_that_were_not_are_left_out),
		cmocka_unit_test(text_that_is_no_text_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
