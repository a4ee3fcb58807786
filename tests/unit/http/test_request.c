#include "http/request.h"

#include <stdbool.h>

#include "tests/unit/unit.h"

/* What a test's request has; {NULL} ends the variables. */
struct variable {
	const char *name, *value;
};

static const char *look_up(void *context, const char *name)
{
	for (const struct variable *v = context; v->name != NULL; v++)
		if (strcmp(v->name, name) == 0)
			return v->value;
	return NULL;
}

static int parse(const char *uri, const char *query, const struct variable *variables, struct request *r, struct err *err)
{
	static const struct variable none[] = {{NULL}};
	struct request_source source = {.method = "POST",
					.uri = uri,
					.query = query,
					.variable = look_up,
					.context = (void *)(variables ? variables : none)};

	return request_parse(&source, r, err);
}

static void a_path_is_split_and_decoded_once(void **state)
{
	struct request r;
	struct err err = {0};

	(void)state;
	assert_ok(parse("/execute/a%2db%2541?version=3", "version=3", NULL, &r, &err));
	assert_int_equal(r.method, METHOD_POST);
	assert_string_equal(r.path, "/execute/a%2db%2541");
	assert_int_equal(r.segment_count, 2);
	assert_string_equal(r.segments[0], "execute");
	assert_string_equal(r.segments[1], "a-b%41");
	assert_string_equal(request_param(&r, "version"), "3");
	assert_null(request_param(&r, "versio"));
}

static void the_root_has_no_segments_and_a_final_slash_has_an_empty_one(void **state)
{
	struct request r;
	struct err err = {0};

	(void)state;
	assert_ok(parse("/", "", NULL, &r, &err));
	assert_int_equal(r.segment_count, 0);
	assert_ok(parse("/functions/", "", NULL, &r, &err));
	assert_int_equal(r.segment_count, 2);
	assert_string_equal(r.segments[1], "");
}

static void tricks_in_a_path_are_refused(void **state)
{
	static const char *const tricks[] = {
		"functions",
		"",
		"/a%2fb",
		"/a%2Fb",
		"/a%00b",
		"/%",
		"/a%4",
		"/a%zz",
		"/a b",
		"/a%20b",
		"/a\tb",
		"/\xc3\xa4",
		"/%c3%a4",
		"/..",
		"/functions/.",
		"/%2e%2e/x",
		"/1/2/3/4/5/6/7/8/9",
	};
	struct request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tricks); i++) {
		struct err err = {0};
		if (parse(tricks[i], "", NULL, &r, &err) == 0)
			fail_msg("'%s' was accepted", tricks[i]);
		assert_true(err.msg[0] != '\0');
		assert_true(r.id[0] != '\0');
	}
}

static void a_path_that_is_too_long_is_refused_and_still_has_a_request_id(void **state)
{
	char uri[REQUEST_PATH_SIZE + 1];
	struct request r;
	struct err err = {0};

	(void)state;
	memset(uri, 'a', sizeof(uri) - 1);
	uri[0] = '/';
	uri[sizeof(uri) - 1] = '\0';
	assert_fails(parse(uri, "", NULL, &r, &err), "longer than");
	assert_int_equal(strlen(r.id), 36);
	uri[sizeof(uri) - 2] = '\0';
	assert_ok(parse(uri, "", NULL, &r, &err));
}

static void a_query_is_decoded_and_its_parameters_are_bounded(void **state)
{
	struct request r;
	struct err err = {0};

	(void)state;
	assert_ok(parse("/x", "a=1+2%2b&&b&c=x=y&d=", NULL, &r, &err));
	assert_int_equal(r.param_count, 4);
	assert_string_equal(request_param(&r, "a"), "1 2+");
	assert_string_equal(request_param(&r, "b"), "");
	assert_string_equal(request_param(&r, "c"), "x=y");
	assert_string_equal(request_param(&r, "d"), "");

	assert_fails(parse("/x", "a=1&a=2", NULL, &r, &err), "'a' twice");
	assert_fails(parse("/x", "a=%0", NULL, &r, &err), "escape");
	assert_fails(parse("/x", "a=%00", NULL, &r, &err), "escape");
	assert_fails(parse("/x", "a&b&c&d&e&f&g&h&i&j&k&l&m", NULL, &r, &err), "more than 12");
}

static void the_longest_query_fits(void **state)
{
	char query[REQUEST_QUERY_SIZE];
	struct request r;
	struct err err = {0};

	(void)state;
	memset(query, 'a', sizeof(query));
	query[REQUEST_QUERY_SIZE - 2 * REQUEST_PARAMS_MAX] = '\0';
	for (int i = 0; i < REQUEST_PARAMS_MAX - 1; i++) {
		query[2 * i] = (char)('b' + i);
		query[2 * i + 1] = '&';
	}
	assert_ok(parse("/x", query, NULL, &r, &err));
	assert_int_equal(r.param_count, REQUEST_PARAMS_MAX);
	query[REQUEST_QUERY_SIZE - 2 * REQUEST_PARAMS_MAX] = 'a';
	query[REQUEST_QUERY_SIZE - 2 * REQUEST_PARAMS_MAX + 1] = '\0';
	assert_fails(parse("/x", query, NULL, &r, &err), "longer than");
}

static void a_number_in_the_query_is_checked_against_its_range(void **state)
{
	struct request r;
	struct err err = {0};
	int64_t n = 5;

	(void)state;
	assert_ok(parse("/x", "limit=200&bad=1x&huge=99999999999999999999&empty=&minus=-1", NULL, &r, &err));
	assert_ok(request_param_int(&r, "absent", 1, 200, &n, &err));
	assert_int_equal(n, 5);
	assert_ok(request_param_int(&r, "limit", 1, 200, &n, &err));
	assert_int_equal(n, 200);
	assert_fails(request_param_int(&r, "limit", 1, 199, &n, &err), "from 1 to 199");
	assert_fails(request_param_int(&r, "bad", 1, 200, &n, &err), "'bad'");
	assert_fails(request_param_int(&r, "huge", 1, INT64_MAX, &n, &err), "'huge'");
	assert_fails(request_param_int(&r, "empty", 0, 200, &n, &err), "'empty'");
	assert_fails(request_param_int(&r, "minus", 0, 200, &n, &err), "'minus'");
}

static void a_sane_request_id_is_kept_and_any_other_is_replaced(void **state)
{
	static const char *const bad[] = {
		"", "a b", "a\"b", "a\nb", "\xc3\xa4", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	struct request r;
	struct err err = {0};

	(void)state;
	struct variable good[] = {{"HTTP_X_REQUEST_ID", "My-id_1.2:3"}, {NULL}};
	assert_ok(parse("/", "", good, &r, &err));
	assert_string_equal(r.id, "My-id_1.2:3");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct variable v[] = {{"HTTP_X_REQUEST_ID", bad[i]}, {NULL}};
		assert_ok(parse("/", "", v, &r, &err));
		assert_int_equal(strlen(r.id), 36);
	}
}

static void a_traceparent_is_kept_only_when_it_is_valid(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} cases[] = {
		{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true},
		{"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true},
		{"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
		{"00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false},
		{"00-00000000000000000000000000000000-00f067aa0ba902b7-01", false},
		{"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false},
		{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", false},
		{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7+01", false},
		{"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", false},
		{"", false},
	};
	struct request r;
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct variable v[] = {{"HTTP_TRACEPARENT", cases[i].text}, {NULL}};
		assert_ok(parse("/", "", v, &r, &err));
		assert_string_equal(r.traceparent, cases[i].valid ? cases[i].text : "");
	}
}

static void headers_are_normalised(void **state)
{
	struct variable v[] = {{"CONTENT_TYPE", "Application/JSON; charset=utf-8"},
			       {"CONTENT_LENGTH", "12"},
			       {"HTTP_IF_MATCH", "\"3\""},
			       {"REMOTE_ADDR", "::1"},
			       {NULL}};
	struct request r;
	struct err err = {0};

	(void)state;
	assert_ok(parse("/", "", v, &r, &err));
	assert_string_equal(r.content_type, "application/json");
	assert_int_equal(r.content_length, 12);
	assert_string_equal(r.if_match, "\"3\"");
	assert_string_equal(r.caller, "::1");
}

static void a_media_type_is_what_stands_before_its_parameters(void **state)
{
	static const char *const cases[][2] = {
		{"application/json ;charset=utf-8", "application/json"},
		{"application/json\t", "application/json"},
		{"application/json, text/plain", "application/json, text/plain"},
		{"application/json text/plain", "application/json text/plain"},
		{";application/json", ""},
		{"text/plain;application/json", "text/plain"},
		{"text\x1b[31m/\x7f", "text?[31m/?"},
	};
	struct request r;
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct variable v[] = {{"CONTENT_TYPE", cases[i][0]}, {NULL}};
		assert_ok(parse("/", "", v, &r, &err));
		assert_string_equal(r.content_type, cases[i][1]);
	}
}

static void a_caller_is_an_address_and_nothing_that_a_client_says(void **state)
{
	static const char *const cases[][2] = {
		{"127.0.0.1", "127.0.0.1"},
		{"2001:db8::A", "2001:db8::A"},
		{"unix:", ""},
		{"127.0.0.1\n", ""},
		{"\x1b[31m", ""},
		{"admin", ""},
		{"", ""},
	};
	struct request r;
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct variable v[] = {{"REMOTE_ADDR", cases[i][0]}, {"REMOTE_USER", "admin"}, {NULL}};
		assert_ok(parse("/", "", v, &r, &err));
		assert_string_equal(r.caller, cases[i][1]);
	}
}

static void a_page_of_any_other_origin_is_foreign(void **state)
{
	static const struct {
		const char *site, *origin;
		bool foreign;
	} cases[] = {
		{NULL, NULL, false}, /* a program */
		{"", "", false},
		{"same-origin", "https://berth.example:8443", false},
		{"none", NULL, false}, /* the address was typed */
		{NULL, "https://berth.example:8443", false},
		{NULL, "HTTPS://Berth.Example:8443", false},
		{"cross-site", NULL, true},
		{"same-site", NULL, true},
		{"same-site", "https://berth.example:8443", true},
		{"Same-Origin", NULL, true}, /* no browser spells it so */
		{"same-origin", "https://evil.example", true},
		{NULL, "https://evil.example", true},
		{NULL, "null", true},
		{NULL, "http://berth.example:8443", true},
		{NULL, "https://berth.example", true},
		{NULL, "https://berth.example:84430", true},
		{NULL, "https://sub.berth.example:8443", true},
		{NULL, "https://berth.example:8443.evil.example", true},
		{NULL, "https://berth.example:8443/", true},
		{NULL, "berth.example:8443", true},
	};
	struct request r;
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct variable v[] = {{"HTTP_HOST", "berth.example:8443"},
				       {"HTTP_SEC_FETCH_SITE", cases[i].site},
				       {"HTTP_ORIGIN", cases[i].origin},
				       {NULL}};
		assert_ok(parse("/", "", v, &r, &err));
		if (r.foreign != cases[i].foreign)
			fail_msg("%s, %s: %d", cases[i].site, cases[i].origin, r.foreign);
	}
}

static void a_content_length_that_is_no_number_is_refused(void **state)
{
	static const char *const bad[] = {"-1", "1x", "0x10", "9999999999999999999", " 1"};
	struct request r;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct variable v[] = {{"CONTENT_LENGTH", bad[i]}, {NULL}};
		struct err err = {0};
		assert_fails(parse("/", "", v, &r, &err), "Content-Length");
	}
}

static void nothing_at_all_is_a_request_for_the_root(void **state)
{
	struct request_source source = {0};
	struct request r;
	struct err err = {0};

	(void)state;
	assert_ok(request_parse(&source, &r, &err));
	assert_int_equal(r.method, METHOD_OTHER);
	assert_string_equal(r.path, "/");
}

static const char *queued_at_variable(void *context, const char *name)
{
	return strcmp(name, "BERTH_QUEUED_AT") == 0 ? context : NULL;
}

static void what_the_web_server_says_of_the_queue_is_taken_with_a_grain_of_salt(void **state)
{
	static const struct {
		const char *queued_at;
		int64_t waited_us;
	} cases[] = {
		{"999.000", 1000000},
		{"999.989", 11000},
		{"999.990", REQUEST_WAIT_LEAST_US},
		{"999.991", 0},
		{"1000.000", 0},
		{"1001.000", 0},
		{"", 0},
		{"999", 0},
		{"x.1", 0},
		{"-5.000", 0},
		{"99999999999999999999.000", 0},
	};
	struct request r;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request_source source = {.method = "POST", .uri = "/", .now_us = 1000000000};
		source.variable = queued_at_variable;
		source.context = (void *)cases[i].queued_at;
		assert_ok(request_parse(&source, &r, &err));
		if (r.waited_us != cases[i].waited_us)
			fail_msg("'%s' gives %lld", cases[i].queued_at, (long long)r.waited_us);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_is_split_and_decoded_once),
		cmocka_unit_test(the_root_has_no_segments_and_a_final_slash_has_an_empty_one),
		cmocka_unit_test(tricks_in_a_path_are_refused),
		cmocka_unit_test(a_path_that_is_too_long_is_refused_and_still_has_a_request_id),
		cmocka_unit_test(a_query_is_decoded_and_its_parameters_are_bounded),
		cmocka_unit_test(the_longest_query_fits),
		cmocka_unit_test(a_number_in_the_query_is_checked_against_its_range),
		cmocka_unit_test(a_sane_request_id_is_kept_and_any_other_is_replaced),
		cmocka_unit_test(a_traceparent_is_kept_only_when_it_is_valid),
		cmocka_unit_test(headers_are_normalised),
		cmocka_unit_test(a_media_type_is_what_stands_before_its_parameters),
		cmocka_unit_test(a_caller_is_an_address_and_nothing_that_a_client_says),
		cmocka_unit_test(a_page_of_any_other_origin_is_foreign),
		cmocka_unit_test(a_content_length_that_is_no_number_is_refused),
		cmocka_unit_test(nothing_at_all_is_a_request_for_the_root),
		cmocka_unit_test(what_the_web_server_says_of_the_queue_is_taken_with_a_grain_of_salt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
