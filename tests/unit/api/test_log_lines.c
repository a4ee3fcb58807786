#include "api/log_lines.h"

#include "base/buf.h"
#include "base/leb128.h"
#include "tests/unit/unit.h"

#define BEGAN_US 1000000000

static struct log_source source(const char *log)
{
	return (struct log_source){
		.requested_at_us = BEGAN_US,
		.response_us = 90000,
		.log = STR(log),
		.log_bytes = strlen(log),
		.error_code = "",
		.error_message = "",
	};
}

/* "<ms since the request> <level> <text>|…" */
static bool write_line(const struct log_line *line, void *arg)
{
	struct buf *out = arg;

	buf_printf(out, "%d %s ", (int)((line->at_us - BEGAN_US) / 1000), line->level);
	buf_add(out, line->text.data, line->text.len);
	buf_add_str(out, line->continues ? "+" : "|");
	return true;
}

static void assert_lines(const struct log_source *s, const char *expected)
{
	AUTO(buf_free) struct buf out = {0};

	log_lines(s, write_line, &out);
	assert_string_equal(buf_str(&out), expected);
}

static void a_log_falls_into_lines_with_or_without_an_end(void **state)
{
	static const struct {
		const char *log, *lines;
	} rows[] = {
		{"", ""},
		{"one\n", "0 info one|"},
		{"one", "0 info one|"},
		{"one\ntwo\n", "0 info one|0 info two|"},
		{"\n\nthree", "0 info |0 info |0 info three|"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct log_source s = source(rows[i].log);
		assert_lines(&s, rows[i].lines);
	}
}

static void lines_below_the_least_level_are_not_told(void **state)
{
	static const char *const lines[] = {
		"0 trace a|0 debug b|0 info c|0 warning d|0 info e|90 platform no: why|",
		"0 debug b|0 info c|0 warning d|0 info e|90 platform no: why|",
		"0 info c|0 warning d|0 info e|90 platform no: why|",
		"0 warning d|90 platform no: why|",
		"90 platform no: why|",
		"90 platform no: why|",
		"90 platform no: why|",
	};
	struct log_source s = source("abcde");

	(void)state;
	s.levels = STR("\0\2\1\4\1\6\1\10\1\0");
	s.levels.len = 10;
	s.error_code = "no";
	s.error_message = "why";
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_true(log_lines_find_level(log_lines_level(i), &s.least));
		assert_int_equal(s.least, i);
		assert_lines(&s, lines[i]);
	}
	assert_null(log_lines_level(ARRAY_SIZE(lines)));
	assert_false(log_lines_find_level("warn", &s.least));
}

static void a_line_has_the_time_its_first_byte_came(void **state)
{
	AUTO(buf_free) struct buf times = {0};
	struct log_source s = source("one\ntwo\nthree\nfour\n");
	const uint64_t notes[] = {0, 5, 6, 20, 8, 300}; /* from byte 0: 5 ms; from 6, within "two": 25 ms; from 14: 325 ms */

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
		leb128_add(&times, notes[i]);
	s.times = (struct str){times.data, (uint32_t)times.len};
	assert_lines(&s, "5 info one|5 info two|25 info three|325 info four|");
}

static void lines_of_both_streams_are_in_the_order_they_were_begun(void **state)
{
	static const struct {
		const char *log;
		struct str streams;
		const char *lines;
	} rows[] = {
		{"one\ntwo\nthree\n", {"\4\4", 2}, "0 info one|0 error two|0 info three|"},
		{"oops\nfine\n", {"\0\5", 2}, "0 error oops|0 info fine|"},
		{"oops\n", {"\0", 1}, "0 error oops|"},
		{"half BAD\nwhole\n", {"\5\4", 2}, "0 info half whole|0 error BAD|"},
		{"aXbYcZ", {"\1\1\1\1\1", 5}, "0 info abc|0 error XYZ|"},
		{"one\ntwo\n", {"\377\377\377\377\377\377\377\377\177\1", 10}, "0 info one|0 info two|"},
		{"one\ntwo\n", {"\4\200", 2}, "0 info one|0 error two|"},
		{"one\n", {"\0\0\0\0\0\0", 6}, "0 info one|"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct log_source s = source(rows[i].log);
		s.streams = rows[i].streams;
		assert_lines(&s, rows[i].lines);
	}
}

/* A mark of a level, as stored: so many bytes behind the one before. */
#define OUT(bytes, level) bytes, 2 * (level)
#define ERR(bytes, level) bytes, 2 * (level) + 1

static void an_entry_of_a_level_is_one_line(void **state)
{
	static const struct {
		const char *log;
		struct str streams;
		unsigned char levels[8];
		uint32_t levels_len;
		const char *lines;
	} rows[] = {
		{"a\nb\nc\nd\n", {"", 0}, {OUT(2, 4), OUT(4, 0)}, 4, "0 info a|0 warning b\nc|0 info d|"},
		{"abcdef",
		 {"", 0},
		 {OUT(0, 1), OUT(1, 2), OUT(1, 5), OUT(1, 6)},
		 8,
		 "0 trace a|0 debug b|0 error c|0 critical def|"},
		{"a\nb\n", {"", 0}, {OUT(0, 2), OUT(2, 2)}, 4, "0 debug a|0 debug b|"},
		{"\n\n\na\n\n", {"", 0}, {OUT(0, 3), OUT(1, 3), OUT(2, 3)}, 6, "0 info |0 info \n|0 info a\n|"},
		/* text without a newline in front of an entry or behind it */
		{"half\nwhole", {"", 0}, {OUT(2, 4), OUT(3, 0)}, 4, "0 info ha|0 warning lf|0 info whole|"},
		/* cut off */
		{"a\nb\n", {"", 0}, {OUT(2, 4)}, 2, "0 info a|0 warning b|"},
		{"a\nb", {"", 0}, {OUT(0, 4)}, 2, "0 warning a\nb|"},
		/* both streams: the entry has parts of another one in its middle */
		{"out\nerr\n", {"\4\4", 2}, {ERR(4, 2)}, 2, "0 info out|0 debug err|"},
		{"aX\nb\nY\n", {"\1\2\2\2", 4}, {OUT(0, 4), ERR(1, 6), OUT(4, 0)}, 6, "0 warning ab|0 critical X\nY|"},
		{"aX\nbc\n", {"\1\2", 2}, {OUT(0, 4), OUT(4, 0)}, 4, "0 warning ab|0 error X|0 info c|"},
		/* marks in the other stream's text, and at the same place */
		{"aX\nb\n", {"\1\2", 2}, {OUT(2, 4)}, 2, "0 info a|0 error X|0 warning b|"},
		{"a\n", {"", 0}, {OUT(0, 4), OUT(0, 0), OUT(0, 2)}, 6, "0 debug a|"},
		/* what makes no sense */
		{"a\nb\n", {"", 0}, {OUT(0, 7), OUT(0, 4)}, 4, "0 info a|0 info b|"},
		{"a\nb\n", {"", 0}, {OUT(2, 4), 0x80}, 3, "0 info a|0 warning b|"},
		{"a\nb\n", {"", 0}, {OUT(0, 4), 0xff, 0xff, 0xff, 0xff, 0x7f, 0}, 8, "0 warning a\nb|"},
		{"a\nb\n", {"", 0}, {OUT(100, 4)}, 2, "0 info a|0 info b|"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct log_source s = source(rows[i].log);
		s.streams = rows[i].streams;
		s.levels = (struct str){(const char *)rows[i].levels, rows[i].levels_len};
		assert_lines(&s, rows[i].lines);
	}
}

static void an_entry_has_the_time_its_first_byte_came(void **state)
{
	struct log_source s = source("one\ntwo\nthree\nfour\n");

	(void)state;
	s.times = (struct str){"\0\5\6\24\10\144", 6}; /* from byte 0: 5 ms; from 6: 25 ms; from 14: 125 ms */
	s.levels = (struct str){"\4\10\12\0", 4};
	assert_lines(&s, "5 info one|5 warning two\nthree|125 info four|");
}

static void notes_that_make_no_sense_are_passed_by(void **state)
{
	static const struct str rows[] = {
		{"\0\5\200", 3},
		{"\0\5\1", 3},
		{"\0\5\377\377\377\377\377\377\377\377\377\1\1", 13},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct log_source s = source("one\ntwo\n");
		s.times = rows[i];
		assert_lines(&s, "5 info one|5 info two|");
	}
}

static void what_is_missing_and_what_went_wrong_is_told_by_the_platform(void **state)
{
	struct log_source s = source("one\ntw");

	(void)state;
	s.log_bytes = 1000;
	s.error_code = "function_timeout";
	s.error_message = "it took longer than 90 ms";
	assert_int_equal(log_lines_lost(&s), 994);
	assert_lines(&s, "0 info one|0 info tw|"
			 "90 platform log_bytes is reached: 994 more bytes were printed and not kept|"
			 "90 platform function_timeout: it took longer than 90 ms|");
}

static bool count_three(const struct log_line *line, void *arg)
{
	int *count = arg;

	(void)line;
	return ++*count < 3;
}

static void who_has_enough_is_told_no_more(void **state)
{
	struct log_source s = source("one\ntwo\nthree\nfour\n");
	int count = 0;

	(void)state;
	s.log_bytes = 1000;
	s.error_code = "function_error";
	s.error_message = "";
	log_lines(&s, count_three, &count);
	assert_int_equal(count, 3);
}

static bool note_piece(const struct log_line *line, void *arg)
{
	struct buf *out = arg;

	buf_printf(out, "%u%s ", (unsigned)line->text.len, line->continues ? "+" : "");
	return true;
}

static void assert_pieces(const char *text, size_t times, size_t times_more, const char *expected)
{
	AUTO(buf_free) struct buf log = {0}, out = {0};

	for (size_t i = 0; i < times_more; i++)
		buf_add_str(&log, ".");
	for (size_t i = 0; i < times; i++)
		buf_add_str(&log, text);
	buf_add_str(&log, "\n");
	struct log_source s = source(log.data);
	log_lines(&s, note_piece, &out);
	assert_string_equal(buf_str(&out), expected);
}

static void a_very_long_line_comes_in_pieces_that_end_with_a_character(void **state)
{
	(void)state;
	assert_int_equal(LOG_LINE_BYTES, 524288);
	assert_pieces("x", LOG_LINE_BYTES, 0, "524288 ");
	assert_pieces("x", LOG_LINE_BYTES + 1, 0, "524288+ 1 ");
	assert_pieces("\xc3\xa4", LOG_LINE_BYTES, 1, "524287+ 524288+ 2 ");
	assert_pieces("\xf0\x9f\x98\x80", LOG_LINE_BYTES / 4 * 3 / 2, 3, "524287+ 262148 ");
	assert_pieces("\x80", LOG_LINE_BYTES * 2, 0, "524285+ 524285+ 6 "); /* no UTF-8 at all */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_falls_into_lines_with_or_without_an_end),
		cmocka_unit_test(lines_below_the_least_level_are_not_told),
		cmocka_unit_test(a_line_has_the_time_its_first_byte_came),
		cmocka_unit_test(lines_of_both_streams_are_in_the_order_they_were_begun),
		cmocka_unit_test(an_entry_of_a_level_is_one_line),
		cmocka_unit_test(an_entry_has_the_time_its_first_byte_came),
		cmocka_unit_test(notes_that_make_no_sense_are_passed_by),
		cmocka_unit_test(what_is_missing_and_what_went_wrong_is_told_by_the_platform),
		cmocka_unit_test(who_has_enough_is_told_no_more),
		cmocka_unit_test(a_very_long_line_comes_in_pieces_that_end_with_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
