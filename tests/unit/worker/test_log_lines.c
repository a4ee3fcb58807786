#include "worker/log_lines.h"

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
static void write_line(const struct log_line *line, void *arg)
{
	struct buf *out = arg;

	buf_printf(out, "%d %s ", (int)((line->at_us - BEGAN_US) / 1000), line->level);
	buf_add(out, line->text.data, line->text.len);
	buf_add_str(out, "|");
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
	s.orphan_bytes = 7;
	s.error_code = "function_timeout";
	s.error_message = "it took longer than 90 ms";
	assert_int_equal(log_lines_lost(&s), 994);
	assert_lines(&s, "0 platform 7 bytes that were printed before this invocation are not kept|0 info one|0 info tw|"
			 "90 platform the log is cut off here: 994 more bytes were printed (log_bytes)|"
			 "90 platform function_timeout: it took longer than 90 ms|");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_falls_into_lines_with_or_without_an_end),
		cmocka_unit_test(a_line_has_the_time_its_first_byte_came),
		cmocka_unit_test(lines_of_both_streams_are_in_the_order_they_were_begun),
		cmocka_unit_test(notes_that_make_no_sense_are_passed_by),
		cmocka_unit_test(what_is_missing_and_what_went_wrong_is_told_by_the_platform),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
