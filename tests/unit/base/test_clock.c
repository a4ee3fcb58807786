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
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(monotonic_time_does_not_go_back),
		cmocka_unit_test(wall_time_is_in_this_century),
		cmocka_unit_test(time_left_is_rounded_up_and_never_negative),
		cmocka_unit_test(a_deadline_far_away_does_not_overflow),
		cmocka_unit_test(utc_is_written_as_rfc_3339),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
