#include "base/json_scan.h"

#include <jansson.h>

#include "tests/unit/unit.h"

static int scan(const char *text)
{
	struct json_scan_error e;

	return json_scan(text, strlen(text), NULL, &e);
}

static void what_is_json_is_accepted(void **state)
{
	static const char *const good[] = {
		"null",
		" true\n",
		"false",
		"0",
		"-0",
		"-0.5e+10",
		"1E5",
		"123456789012345678901234567890",
		"1e999",
		"\"\"",
		"\"\\u0000\\ud83d \\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"",
		"[]",
		"{}",
		"[ ]",
		"{ }",
		"[1,2 , 3]",
		"{\"a\":1, \"a\" : [{}, {\"\":null}]}",
		"[[[[]]]]",
		"{\"a\\u0000\":{\"b\":[true]}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (scan(good[i]) != 0)
			fail_msg("refused: %s", good[i]);
}

static void what_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"nul",
		"nullx",
		"True",
		"01",
		"-",
		"1.",
		".5",
		"1e",
		"1e+",
		"+1",
		"NaN",
		"Infinity",
		"-Infinity",
		"\"",
		"\"a",
		"\"\n\"",
		"\"\\x\"",
		"\"\\u12g4\"",
		"\"\\u123",
		"\"\\",
		"'a'",
		"[",
		"]",
		"[1",
		"[1,",
		"[1,]",
		"[,1]",
		"[1 2]",
		"[}",
		"{",
		"{\"a\"",
		"{\"a\":",
		"{\"a\":}",
		"{\"a\":1",
		"{\"a\":1,",
		"{\"a\":1,}",
		"{a:1}",
		"{1:2}",
		"{\"a\" 1}",
		"{\"a\":1]",
		"[1}",
		"1 2",
		"{} {}",
		"/* */ 1",
		"\xef\xbb\xbf{}",
		"\"\x80\"",
		"\"\xc0\xaf\"",
		"\"\xed\xa0\x80\"",
		"\"\xf4\x90\x80\x80\"",
		"\"\xe2\x82\"",
		"\"\xf0\x9f\x98\"",
		"\"\xff\"",
		"\"\xc3",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (scan(bad[i]) == 0)
			fail_msg("accepted: %s", bad[i]);
}

static void a_nul_byte_is_no_json(void **state)
{
	struct json_scan_error e;

	(void)state;
	assert_int_equal(json_scan("\0", 1, NULL, &e), -1);
	assert_int_equal(json_scan("1\0", 2, NULL, &e), -1);
	assert_int_equal(json_scan("\"\0\"", 3, NULL, &e), -1);
	assert_int_equal(json_scan("\"\\\0\"", 4, NULL, &e), -1);
}

static void depth_is_bounded(void **state)
{
	static char text[2 * JSON_SCAN_DEPTH_MAX + 3];

	(void)state;
	memset(text, '[', JSON_SCAN_DEPTH_MAX);
	memset(text + JSON_SCAN_DEPTH_MAX, ']', JSON_SCAN_DEPTH_MAX);
	assert_int_equal(scan(text), 0);
	memset(text, '[', JSON_SCAN_DEPTH_MAX + 1);
	memset(text + JSON_SCAN_DEPTH_MAX + 1, ']', JSON_SCAN_DEPTH_MAX + 1);
	assert_int_equal(scan(text), -1);
}

static void an_error_says_where(void **state)
{
	struct json_scan_error e;

	(void)state;
	assert_int_equal(json_scan("{\n\n  \"a\": tru }", 15, NULL, &e), -1);
	assert_int_equal(e.line, 3);
	assert_int_equal(e.column, 8);
	assert_string_equal(e.what, "value expected");
}

static int note_member(void *context, const struct json_scan_member *m)
{
	char *notes = context;

	sprintf(notes + strlen(notes), "%.*s%c ", (int)m->name_len, m->name, m->value);
	return m->name_len == 4 ? 7 : 0;
}

static void the_visitor_sees_only_the_outermost_members_and_can_stop(void **state)
{
	const char text[] = "{ \"a\" : {\"x\":[{\"y\":1}]}, \"b\\n\":-1,\"c\":\"s\" }", stop[] = "{\"stop\":1, nonsense";
	char notes[100] = "";
	struct json_scan_visitor visitor = {note_member, notes};
	struct json_scan_error e;

	(void)state;
	assert_int_equal(json_scan(text, strlen(text), &visitor, &e), 0);
	assert_string_equal(notes, "a{ b\\n- c\" ");
	assert_int_equal(json_scan(stop, strlen(stop), &visitor, &e), 7);
	assert_int_equal(json_scan("[{\"stop\":1}]", 12, &visitor, &e), 0);
}

/* So many of text, with commas between, in brackets. */
static char *list_of(const char *text, size_t count)
{
	char *list = malloc(count * (strlen(text) + 1) + 2), *p = list;

	for (size_t i = 0; i < count; i++)
		p += sprintf(p, "%c%s", i == 0 ? '[' : ',', text);
	strcpy(p, "]");
	return list;
}

static void a_text_that_is_going_to_be_parsed_has_few_values_and_levels(void **state)
{
	static const struct {
		const char *text;
		size_t count;
		bool too_much;
	} rows[] = {
		{"{}", JSON_SCAN_SMALL_VALUES - 1, false},
		{"{}", JSON_SCAN_SMALL_VALUES, true},
		{"{\"a\":[1]}", (JSON_SCAN_SMALL_VALUES - 1) / 3, false},
		{"{\"a\":[1]}", (JSON_SCAN_SMALL_VALUES - 1) / 3 + 1, true},
		{"[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]", 1, false},
		{"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", 1, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_scan_error e = {0};
		char *list = list_of(rows[i].text, rows[i].count);
		assert_int_equal(json_scan_small(list, strlen(list), &e), rows[i].too_much ? -1 : 0);
		assert_int_equal(e.too_much, rows[i].too_much);
		assert_int_equal(json_scan(list, strlen(list), NULL, &e), 0);
		free(list);
	}
	struct json_scan_error e;
	assert_int_equal(json_scan_small("[1,", 3, &e), -1);
	assert_false(e.too_much);
}

/* Whatever jansson takes, the scan takes, and the other way round but for what jansson cannot represent. */
static void it_agrees_with_a_parser_on_damaged_texts(void **state)
{
	static const char seed[] = "{\"a\":[1,-2.5e3,true,null,\"x\\u00e4\\n\xc3\xa4\"],\"b\":{\"c\":{}},\"d\":\"\"}";
	static const char bytes[] = "{}[]\",:0123456789.eE+-\\untrfalse \xc3\xa4\x80";
	struct json_scan_error e;
	json_error_t je;

	(void)state;
	srand(1);
	for (int i = 0; i < 200000; i++) {
		char text[sizeof(seed)];
		memcpy(text, seed, sizeof(seed));
		for (int k = rand() % 3; k >= 0; k--)
			text[(size_t)rand() % (sizeof(seed) - 1)] = bytes[(size_t)rand() % (sizeof(bytes) - 1)];
		json_t *json =
			json_loadb(text, sizeof(seed) - 1, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &je);
		int rc = json_scan(text, sizeof(seed) - 1, NULL, &e);
		int beyond = strstr(je.text, "overflow") != NULL || strstr(je.text, "invalid Unicode") != NULL;
		if ((rc == 0) != (json != NULL) && !(rc == 0 && beyond))
			fail_msg("scan %d, jansson '%s': %s", rc, json ? "ok" : je.text, text);
		json_decref(json);
		je.text[0] = '\0';
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_json_is_accepted),
		cmocka_unit_test(what_is_no_json_is_refused),
		cmocka_unit_test(a_nul_byte_is_no_json),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(an_error_says_where),
		cmocka_unit_test(the_visitor_sees_only_the_outermost_members_and_can_stop),
		cmocka_unit_test(a_text_that_is_going_to_be_parsed_has_few_values_and_levels),
		cmocka_unit_test(it_agrees_with_a_parser_on_damaged_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
