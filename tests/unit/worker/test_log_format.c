#include "worker/log_format.h"

#include <jansson.h>

#include "tests/unit/unit.h"

#define AT "1970-01-01T00:16:40.000Z"

static struct log_source source(const char *log, size_t len)
{
	return (struct log_source){
		.requested_at_us = 1000000000,
		.log = {log, (uint32_t)len},
		.log_bytes = len,
		.error_code = "",
		.error_message = "",
	};
}

static void a_log_without_lines_is_an_empty_array_and_no_text(void **state)
{
	struct log_source s = source("", 0);
	AUTO(buf_free) struct buf json = {0}, text = {0};

	(void)state;
	log_format_json(&s, &json);
	log_format_text(&s, &text);
	assert_string_equal(buf_str(&json), "[]");
	assert_string_equal(buf_str(&text), "");
}

static void lines_have_their_time_and_level(void **state)
{
	struct log_source s = source("one\ntwo", 7);
	AUTO(buf_free) struct buf json = {0}, text = {0};

	(void)state;
	s.log_bytes = 9;
	log_format_json(&s, &json);
	log_format_text(&s, &text);
	assert_string_equal(buf_str(&json), "[{\"at\":\"" AT "\",\"level\":\"info\",\"text\":\"one\"},"
					    "{\"at\":\"" AT "\",\"level\":\"info\",\"text\":\"two\"},"
					    "{\"at\":\"" AT "\",\"level\":\"platform\",\"text\":\"the log is cut off here: 2 "
					    "more bytes were printed (log_bytes)\"}]");
	assert_string_equal(buf_str(&text), AT " info     one\n" AT " info     two\n" AT
					       " platform the log is cut off here: 2 more bytes were printed (log_bytes)\n");
}

/* What of one line is written. */
static void assert_written(const char *line, size_t len, const char *json, const char *text)
{
	struct log_source s = source(line, len);
	AUTO(buf_free) struct buf as_json = {0}, as_text = {0}, expected = {0};

	log_format_json(&s, &as_json);
	buf_printf(&expected, "[{\"at\":\"" AT "\",\"level\":\"info\",\"text\":\"%s\"}]", json);
	assert_string_equal(buf_str(&as_json), buf_str(&expected));
	buf_reset(&expected);
	log_format_text(&s, &as_text);
	buf_printf(&expected, AT " info     %s\n", text);
	assert_string_equal(buf_str(&as_text), buf_str(&expected));
}

static void what_could_harm_is_escaped_and_what_is_no_text_replaced(void **state)
{
	static const struct {
		struct str line;
		const char *json, *text;
	} rows[] = {
		{{"say \"a\\b\"", 9}, "say \\\"a\\\\b\\\"", "say \"a\\b\""},
		{{"\x1b[31mred", 8}, "\\u001b[31mred", "\\x1b[31mred"},
		{{"a\tb\rc", 5}, "a\\u0009b\\u000dc", "a\tb\\x0dc"},
		{{"\x7f", 1}, "\\u007f", "\\x7f"},
		{{"\xc2\x9b"
		  "2J",
		  4},
		 "\\u009b2J",
		 "\\x9b2J"}, /* CSI in one character */
		{{"\xc2\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 11},
		 "\xc2\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		 "\xc2\xa0\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"},
		{{"a\0b", 3},
		 "a\xef\xbf\xbd"
		 "b",
		 "a\xef\xbf\xbd"
		 "b"},
		{{"\xff\x9b\xc2", 3}, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_written(rows[i].line.data, rows[i].line.len, rows[i].json, rows[i].text);
}

static void any_bytes_make_json_that_holds_them(void **state)
{
	char all[4 * 256];
	AUTO(buf_free) struct buf json = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i * 37 + i / 256);
	struct log_source s = source(all, sizeof(all));
	log_format_json(&s, &json);
	json_t *lines = json_loadb(json.data, json.len, 0, NULL);
	assert_non_null(lines);
	assert_int_equal(json_array_size(lines), 5); /* four newlines */
	json_decref(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_without_lines_is_an_empty_array_and_no_text),
		cmocka_unit_test(lines_have_their_time_and_level),
		cmocka_unit_test(what_could_harm_is_escaped_and_what_is_no_text_replaced),
		cmocka_unit_test(any_bytes_make_json_that_holds_them),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
