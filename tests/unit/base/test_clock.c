#include "base/clock.h"

#include <limits.h>

#include "tests/unit/unit.h"

static void monotonic_time_does_not_go_back(void **state)
{
	int64_t before = clock_mono_us();

	(void)state;
	assert_true(clock_mono_us() >= before);
}

static void wall_time_is_in_this_century(void **state)
{
	(void)state;
	assert_true(clock_wall_us() > 1600000000000000);
	assert_true(clock_wall_us() < 4102444800000000);
}

static void time_left_is_rounded_up_and_never_negative(void **state)
{
	(void)state;
	assert_int_equal(clock_left_ms(clock_mono_us() - 1000000), 0);
	assert_int_equal(clock_left_ms(0), 0);
	int left = clock_left_ms(clock_mono_us() + 10000000);
	assert_in_range(left, 9000, 10000);
	assert_true(clock_left_ms(clock_mono_us() + 900) <= 1);
}

static void a_deadline_far_away_does_not_overflow(void **state)
{
	(void)state;
	assert_int_equal(clock_left_ms(INT64_MAX), INT_MAX);
}

static void utc_is_written_as_rfc_3339(void **state)
{
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	clock_format_utc(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000Z");
	clock_format_utc(951827696123999, text);
	assert_string_equal(text, "2000-02-29T12:34:56.123Z");
	clock_format_utc_us(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
	clock_format_utc_us(951827696123999, text);
	assert_string_equal(text, "2000-02-29T12:34:56.123999Z");
}

static void a_time_is_read_as_rfc_3339_or_as_seconds(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} rows[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2000-02-29T12:34:56.123Z", 951827696123000},
		{"2000-02-29T12:34:56.1234567Z", 951827696123456},
		{"2000-02-29T14:04:56.5+01:30", 951827696500000},
		{"2000-02-29T10:34:56-02:00", 951827696000000},
		{"2016-12-31T23:59:60Z", 1483228800000000}, /* a leap second */
		{"951827696", 951827696000000},
		{"0", 0},
	};
	int64_t us;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		us = -1;
		assert_true(clock_parse(rows[i].text, &us));
		assert_int_equal(us, rows[i].us);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"now",
		"-1",
		"2000-02-29",
		"2000-02-29T12:34:56",
		"2000-02-29 12:34:56Z",
		"2000-13-01T00:00:00Z",
		"2000-02-30T00:00:00Z",
		"2001-02-29T00:00:00Z",
		"2000-04-31T00:00:00Z",
		"2000-01-00T00:00:00Z",
		"2000-01-32T00:00:00Z",
		"2000-01-01T24:00:00Z",
		"2000-02-29T12:34:56ZZ",
		"2000-02-29T12:34:56+1:00",
		"2000-02-29T12:34:56+25:00",
		"2000-02-29T12:34:56+01:00Z",
		"123456789012",
		"12.5",
		"02000-02-29T12:34:56Z",
		"2000-02-29T12:34:56 01:00",
		"1e9",
	};
	int64_t us = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (clock_parse(rows[i], &us))
			fail_msg("'%s' was taken for a time", rows[i]);
		assert_int_equal(us, 7);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(monotonic_time_does_not_go_back),
		cmocka_unit_test(wall_time_is_in_this_century),
		cmocka_unit_test(time_left_is_rounded_up_and_never_negative),
		cmocka_unit_test(a_deadline_far_away_does_not_overflow),
		cmocka_unit_test(utc_is_written_as_rfc_3339),
		cmocka_unit_test(a_time_is_read_as_rfc_3339_or_as_seconds),
		cmocka_unit_test(what_is_no_time_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
