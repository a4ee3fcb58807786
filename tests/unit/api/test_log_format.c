#include "api/log_format.h"

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
	assert_int_equal(log_format_json(&s, 1, 0, &json), 0);
	assert_int_equal(log_format_text(&s, 1, 0, &text), 0);
	assert_string_equal(buf_str(&json), "[]");
	assert_string_equal(buf_str(&text), "");
}

static void lines_have_their_time_and_level(void **state)
{
	struct log_source s = source("one\ntwo", 7);
	AUTO(buf_free) struct buf json = {0}, text = {0};

	(void)state;
	s.log_bytes = 9;
	log_format_json(&s, 1, 0, &json);
	log_format_text(&s, 1, 0, &text);
	assert_string_equal(buf_str(&json), "[{\"at\":\"" AT "\",\"level\":\"info\",\"text\":\"one\"},"
					    "{\"at\":\"" AT "\",\"level\":\"info\",\"text\":\"two\"},"
					    "{\"at\":\"" AT "\",\"level\":\"platform\",\"text\":\"log_bytes is reached: 2 "
					    "more bytes were printed and not kept\"}]");
	assert_string_equal(buf_str(&text), AT " info     one\n" AT " info     two\n" AT
					       " platform log_bytes is reached: 2 more bytes were printed and not kept\n");
}

static void what_was_printed_after_the_answer_follows_and_says_so(void **state)
{
	struct log_source parts[] = {source("one\n", 4), source("two\nthree\n", 10)};
	AUTO(buf_free) struct buf json = {0}, text = {0};

	(void)state;
	parts[0].error_code = parts[1].error_code = "function_error";
	parts[0].error_message = parts[1].error_message = "no";
	parts[1].late = true;
	assert_int_equal(log_format_json(parts, 2, 2, &json), 0);
	log_format_text(parts, 2, 0, &text);
	assert_string_equal(buf_str(&json), "[{\"at\":\"" AT "\",\"level\":\"info\",\"text\":\"two\",\"late\":true},"
					    "{\"at\":\"" AT "\",\"level\":\"info\",\"text\":\"three\",\"late\":true}]");
	assert_string_equal(buf_str(&text), AT " info     one\n" AT " platform function_error: no\n" AT
					       " info     (late) two\n" AT " info     (late) three\n");
}

/* What of one line is written. */
static void assert_written(const char *line, size_t len, const char *json, const char *text)
{
	struct log_source s = source(line, len);
	AUTO(buf_free) struct buf as_json = {0}, as_text = {0}, expected = {0};

	log_format_json(&s, 1, 0, &as_json);
	buf_printf(&expected, "[{\"at\":\"" AT "\",\"level\":\"info\",\"text\":\"%s\"}]", json);
	assert_string_equal(buf_str(&as_json), buf_str(&expected));
	buf_reset(&expected);
	log_format_text(&s, 1, 0, &as_text);
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

static void of_an_entry_with_several_lines_all_but_the_first_are_indented(void **state)
{
	static const char log[] = "Traceback:\n\tx\n" AT " platform no\nplain\n";
	struct log_source s = source(log, sizeof(log) - 1);
	AUTO(buf_free) struct buf json = {0}, text = {0};
	unsigned char levels[] = {0, 6 << 1, sizeof(log) - 1 - strlen("plain\n"), 0};

	(void)state;
	s.levels = (struct str){(const char *)levels, sizeof(levels)};
	log_format_json(&s, 1, 0, &json);
	log_format_text(&s, 1, 0, &text);
	assert_string_equal(buf_str(&json), "[{\"at\":\"" AT "\",\"level\":\"critical\",\"text\":\"Traceback:\\n\\u0009x\\n" AT
					    " platform no\"},{\"at\":\"" AT "\",\"level\":\"info\",\"text\":\"plain\"}]");
	assert_string_equal(buf_str(&text),
			    AT " critical Traceback:\n    \tx\n    " AT " platform no\n" AT " info     plain\n");
}

static void any_bytes_make_json_that_holds_them(void **state)
{
	char all[4 * 256];
	AUTO(buf_free) struct buf json = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (char)(i * 37 + i / 256);
	struct log_source s = source(all, sizeof(all));
	log_format_json(&s, 1, 0, &json);
	json_t *lines = json_loadb(json.data, json.len, 0, NULL);
	assert_non_null(lines);
	assert_int_equal(json_array_size(lines), 5); /* four newlines */
	json_decref(lines);
}

/* ---- Pages ---- */

/* So many bytes, one after the other from those of text. */
static struct buf repeat(const char *text, size_t bytes)
{
	struct buf b = {0};

	while (b.len < bytes)
		buf_add(&b, &text[b.len % strlen(text)], 1);
	return b;
}

/* Goes through all pages, whose lines are put together again; each is bounded. Returns how many there are. */
static int read_pages(const struct log_source *s, struct buf *lines)
{
	uint64_t from = 0;
	int pages = 0;

	do {
		AUTO(buf_free) struct buf json = {0};
		json_t *line;
		size_t i;

		from = log_format_json(s, 1, from, &json);
		assert_true(json.len < LOG_PAGE_BYTES + 6 * LOG_LINE_BYTES + 200);
		AUTO(json_decrefp) json_t *page = json_loadb(json.data, json.len, 0, NULL);
		assert_in_range(json_array_size(page), 1, LOG_PAGE_LINES);
		json_array_foreach (page, i, line)
			buf_printf(lines, "%s%s", json_string_value(json_object_get(line, "text")),
				   json_is_true(json_object_get(line, "continues")) ? "" : "\n");
		pages++;
	} while (from > 0);
	return pages;
}

static void assert_pages(const char *text, size_t bytes, int pages)
{
	AUTO(buf_free) struct buf log = repeat(text, bytes), lines = {0};
	struct log_source s = source(log.data, log.len);

	assert_int_equal(read_pages(&s, &lines), pages);
	assert_int_equal(lines.len, log.len + (log.data[log.len - 1] != '\n'));
	assert_memory_equal(lines.data, log.data, log.len);
}

static void a_log_of_many_lines_or_bytes_is_told_page_by_page(void **state)
{
	(void)state;
	assert_pages("\n", LOG_PAGE_LINES, 1);
	assert_pages("\n", LOG_PAGE_LINES + 1, 2);
	assert_pages("\n", 1u << 17, 14);
	assert_pages("a line of forty bytes, as many logs have\n", 1u << 20, 3);
	assert_pages("x", 1u << 20, 1);
	assert_pages("\001", 1u << 20, 2);
	assert_pages("\001", 2u << 20, 4);
}

static void an_entry_of_nothing_but_newlines_is_told_in_pages_of_bounded_size(void **state)
{
	AUTO(buf_free) struct buf log = repeat("\n", 2u << 20);
	struct log_source s = source(log.data, log.len);
	uint64_t from = 0;
	int pages = 0;

	(void)state;
	s.levels = (struct str){"\0\10", 2};
	do {
		AUTO(buf_free) struct buf text = {0};
		from = log_format_text(&s, 1, from, &text);
		assert_true(text.len < LOG_PAGE_BYTES + 6 * LOG_LINE_BYTES);
		pages++;
	} while (from > 0);
	assert_int_equal(pages, 4);
}

static void a_page_of_text_ends_with_whole_lines(void **state)
{
	AUTO(buf_free) struct buf log = repeat("\001", 3u << 20), first = {0}, second = {0};
	struct log_source s = source(log.data, log.len);

	(void)state;
	uint64_t next = log_format_text(&s, 1, 0, &first);
	assert_int_equal(next, 1); /* of six pieces of one line */
	assert_int_equal(first.len, strlen(AT " info     ") + 4 * LOG_LINE_BYTES + 1);
	assert_int_equal(first.data[first.len - 1], '\n');
	log_format_text(&s, 1, next, &second);
	assert_memory_equal(second.data, AT " info     \\x01", strlen(AT " info     \\x01"));
	assert_int_equal(log_format_text(&s, 1, 6, &second), 0);
	assert_int_equal(log_format_text(&s, 1, 1000, &second), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_without_lines_is_an_empty_array_and_no_text),
		cmocka_unit_test(lines_have_their_time_and_level),
		cmocka_unit_test(what_was_printed_after_the_answer_follows_and_says_so),
		cmocka_unit_test(what_could_harm_is_escaped_and_what_is_no_text_replaced),
		cmocka_unit_test(of_an_entry_with_several_lines_all_but_the_first_are_indented),
		cmocka_unit_test(any_bytes_make_json_that_holds_them),
		cmocka_unit_test(a_log_of_many_lines_or_bytes_is_told_page_by_page),
		cmocka_unit_test(an_entry_of_nothing_but_newlines_is_told_in_pages_of_bounded_size),
		cmocka_unit_test(a_page_of_text_ends_with_whole_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
