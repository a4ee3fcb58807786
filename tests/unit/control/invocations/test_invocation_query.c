#include "control/invocations/invocation_query.h"

#include "http/request.h"
#include "tests/unit/unit.h"

#define ID "01a21497-1f18-7d47-b15e-71affd155d20"

static struct request request; /* what a query points into */

static int parse(const char *query, struct invocation_query *q, struct err *why)
{
	struct request_source source = {.method = "GET", .uri = "/functions/hello/invocations", .query = query};
	struct err err;

	assert_ok(request_parse(&source, &request, &err));
	return invocation_query_parse(&request, q, why);
}

#define assert_param(param, text) assert_string_equal(db_param_value(&(param)), text)
#define assert_no_param(param)    assert_null(db_param_value(&(param)))

static void who_asks_for_nothing_gets_the_first_page_of_all(void **state)
{
	struct invocation_query q;
	struct err err;

	(void)state;
	assert_ok(parse("", &q, &err));
	assert_int_equal(q.limit, 50);
	assert_param(q.filter.limit, "51");
	q.filter.limit = db_text(NULL);
	for (size_t i = 0; i < sizeof(q.filter) / sizeof(struct db_param); i++)
		assert_no_param(((const struct db_param *)&q.filter)[i]);
}

static void a_status_may_be_a_number_a_class_or_a_word(void **state)
{
	static const struct {
		const char *query, *least, *most, *failed;
	} rows[] = {
		{"status=502", "502", "502", NULL}, {"status=5xx", "500", "599", NULL},  {"status=1xx", "100", "199", NULL},
		{"status=error", NULL, NULL, "t"},  {"status=success", NULL, NULL, "f"},
	};
	struct invocation_query q;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_ok(parse(rows[i].query, &q, &err));
		if (rows[i].failed != NULL) {
			assert_param(q.filter.failed, rows[i].failed);
			assert_no_param(q.filter.status_least);
			continue;
		}
		assert_no_param(q.filter.failed);
		assert_param(q.filter.status_least, rows[i].least);
		assert_param(q.filter.status_most, rows[i].most);
	}
}

static void everything_else_is_passed_on(void **state)
{
	struct invocation_query q;
	struct err err;

	(void)state;
	assert_ok(parse("request_id=mine", &q, &err));
	assert_param(q.filter.request_id, "mine");
	assert_ok(parse("error_code=function_timeout&version=7&runtime=gvisor&start_kind=prewarmed&slower_than_ms=250"
			"&from=2026-01-31T12:00:00.25Z&to=1770000000&text=50%25+off&limit=200",
			&q, &err));
	assert_param(q.filter.error_code, "function_timeout");
	assert_param(q.filter.version, "7");
	assert_param(q.filter.runtime, "gvisor");
	assert_param(q.filter.start_kind, "prewarmed");
	assert_param(q.filter.slower_than_ms, "250");
	assert_param(q.filter.from, "2026-01-31T12:00:00.250000Z");
	assert_param(q.filter.to, "2026-02-02T02:40:00.000000Z");
	assert_param(q.filter.text, "50% off");
	assert_param(q.filter.limit, "201");
}

static int parse_search(const char *query, struct invocation_query *q, struct err *why)
{
	struct request_source source = {.method = "GET", .uri = "/invocations", .query = query};
	struct err err;

	assert_ok(request_parse(&source, &request, &err));
	return invocation_query_parse_search(&request, INT64_C(1769947200000000), q, why); /* 2026-02-01T12:00:00Z */
}

static void a_search_among_all_functions_has_a_request_id_and_a_beginning(void **state)
{
	struct invocation_query q;
	struct err err;

	(void)state;
	assert_ok(parse_search("request_id=mine", &q, &err));
	assert_param(q.filter.request_id, "mine");
	assert_param(q.filter.from, "2026-01-31T12:00:00.000000Z"); /* a day ago */
	assert_no_param(q.filter.to);
	assert_ok(parse_search("request_id=mine&to=2026-01-15T00:00:00Z", &q, &err));
	assert_param(q.filter.from, "2026-01-14T00:00:00.000000Z");
	assert_ok(parse_search("request_id=mine&from=2025-01-15T00:00:00Z", &q, &err));
	assert_param(q.filter.from, "2025-01-15T00:00:00.000000Z");
	assert_ok(parse_search("request_id=mine&to=5", &q, &err));
	assert_param(q.filter.from, "1970-01-01T00:00:00.000000Z");
	assert_fails(parse_search("", &q, &err), "'request_id' is missing");
	assert_fails(parse_search("request_id=", &q, &err), "'request_id' must have 1 to 64 bytes");
}

static void a_cursor_is_where_the_page_before_ended(void **state)
{
	char cursor[INVOCATION_CURSOR_SIZE], query[128];
	struct invocation_query q;
	struct err err;

	(void)state;
	invocation_query_next("1764105429000042", ID, cursor);
	snprintf(query, sizeof(query), "cursor=%s", cursor);
	assert_ok(parse(query, &q, &err));
	assert_param(q.filter.before_at, "2025-11-25T21:17:09.000042Z");
	assert_param(q.filter.before_id, ID);
}

static void what_makes_no_sense_is_refused_by_its_name(void **state)
{
	static const struct {
		const char *query, *says;
	} rows[] = {
		{"status=bad", "'status' must be"},
		{"status=600", "'status' must be"},
		{"status=6xx", "'status' must be"},
		{"status=5x", "'status' must be"},
		{"status=0xx", "'status' must be"},
		{"status=", "'status' must be"},
		{"error_code=nonsense", "'error_code' must be"},
		{"error_code=function_time", "'error_code' must be"},
		{"runtime=podman", "'runtime' must be"},
		{"start_kind=hot", "'start_kind' must be"},
		{"text=", "'text' must have"},
		{"version=x", "'version' must be"},
		{"version=99999999999", "'version' must be"},
		{"slower_than_ms=-1", "'slower_than_ms' must be"},
		{"slower_than_ms=1.5", "'slower_than_ms' must be"},
		{"from=today", "'from' must be"},
		{"from=2026-02-30T00:00:00Z", "'from' must be"},
		{"to=1960-01-01T00:00:00Z", "'to' must be"},
		{"from=1770000000&to=1770000000", "'from' must be before 'to'"},
		{"limit=0", "'limit' must be"},
		{"limit=201", "'limit' must be"},
		{"cursor=", "'cursor' must be the 'next'"},
		{"cursor=1", "'cursor' must be the 'next'"},
		{"cursor=1.x", "'cursor' must be the 'next'"},
		{"cursor=." ID, "'cursor' must be the 'next'"},
		{"cursor=-1." ID, "'cursor' must be the 'next'"},
		{"cursor=123456789012345678." ID, "'cursor' must be the 'next'"},
		{"cursor=1." ID "0", "'cursor' must be the 'next'"},
	};
	struct invocation_query q;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_fails(parse(rows[i].query, &q, &err), rows[i].says);
}

static void a_text_has_a_bound(void **state)
{
	char query[INVOCATION_TEXT_MAX + 16] = "text=";
	struct invocation_query q;
	struct err err;

	(void)state;
	memset(query + 5, 'x', INVOCATION_TEXT_MAX);
	assert_ok(parse(query, &q, &err));
	query[5 + INVOCATION_TEXT_MAX] = 'x';
	assert_fails(parse(query, &q, &err), "1 to 256");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_asks_for_nothing_gets_the_first_page_of_all),
		cmocka_unit_test(a_status_may_be_a_number_a_class_or_a_word),
		cmocka_unit_test(everything_else_is_passed_on),
		cmocka_unit_test(a_search_among_all_functions_has_a_request_id_and_a_beginning),
		cmocka_unit_test(a_cursor_is_where_the_page_before_ended),
		cmocka_unit_test(what_makes_no_sense_is_refused_by_its_name),
		cmocka_unit_test(a_text_has_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
