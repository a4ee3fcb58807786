#include "invoke/trace.h"

#include "tests/unit/unit.h"

static const char incoming[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

static struct uuid id_of(const char *text)
{
	struct uuid id;

	assert_true(uuid_parse(text, &id));
	return id;
}

static void an_invocation_is_a_span_of_its_callers_trace(void **state)
{
	struct uuid id = id_of("01a21443-f275-71d3-b2a5-856af5c6096d"),
		    expected = id_of("0af76519-16cd-43dd-8448-eb211c80319c");
	char out[REQUEST_TRACEPARENT_SIZE];
	struct trace trace;

	(void)state;
	trace_begin(&trace, &id, incoming);
	assert_memory_equal(&trace.id, &expected, sizeof(expected));
	assert_true(trace.parent_id == 0xb7ad6b7169203331);
	assert_true(trace.span_id == 0xb2a5856af5c6096d);
	assert_int_equal(trace.flags, 0);
	trace_format(&trace, out);
	assert_string_equal(out, "00-0af7651916cd43dd8448eb211c80319c-b2a5856af5c6096d-00");
}

static void an_invocation_whose_caller_has_no_trace_begins_one(void **state)
{
	struct uuid id = id_of("01a21443-f275-71d3-b2a5-856af5c6096d");
	char out[REQUEST_TRACEPARENT_SIZE];
	struct trace trace;

	(void)state;
	trace_begin(&trace, &id, "");
	assert_memory_equal(&trace.id, &id, sizeof(id));
	assert_true(trace.parent_id == 0);
	trace_format(&trace, out);
	assert_string_equal(out, "00-01a21443f27571d3b2a5856af5c6096d-b2a5856af5c6096d-01");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_invocation_is_a_span_of_its_callers_trace),
		cmocka_unit_test(an_invocation_whose_caller_has_no_trace_begins_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
