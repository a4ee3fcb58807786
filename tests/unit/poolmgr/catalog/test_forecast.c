#include "tests/unit/unit.h"

#include "poolmgr/catalog/forecast.h"

#define WINDOW_US    1000
#define HALF_LIFE_US 100000

static void need(struct forecast *f, int64_t now_us, int count)
{
	for (int i = 0; i < count; i++)
		forecast_needed(f, now_us, WINDOW_US, HALF_LIFE_US);
}

static int most(const struct forecast *f, int64_t now_us)
{
	return forecast_most(f, now_us, HALF_LIFE_US);
}

static void what_was_never_needed_is_not_expected(void **state)
{
	struct forecast f = {0};

	(void)state;
	assert_int_equal(most(&f, 0), 0);
	assert_int_equal(most(&f, INT64_MAX / 2), 0);
}

static void a_burst_that_came_once_is_expected_again_and_forgotten_in_the_end(void **state)
{
	struct forecast f = {0};

	(void)state;
	need(&f, 5000, 8);
	assert_int_equal(most(&f, 5000), 8);
	assert_int_equal(most(&f, 5000 + HALF_LIFE_US), 4);
	assert_int_equal(most(&f, 5000 + 3 * HALF_LIFE_US), 1);
	assert_int_equal(most(&f, 5000 + 5 * HALF_LIFE_US), 0);
}

static void a_burst_is_seen_whole_where_windows_meet_and_what_is_far_apart_does_not_add_up(void **state)
{
	struct forecast f = {0};

	(void)state;
	need(&f, 5000, 3);
	need(&f, 5000 + WINDOW_US, 3);
	assert_int_equal(most(&f, 6000), 6);
	f = (struct forecast){0};
	for (int i = 0; i < 50; i++)
		need(&f, 5000 + i * 2 * WINDOW_US, 1);
	assert_int_equal(most(&f, 5000 + 100 * WINDOW_US), 1);
}

static void a_steady_rate_is_what_comes_within_two_windows(void **state)
{
	struct forecast f = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		need(&f, 5000 + i * WINDOW_US / 5, 1);
	assert_in_range(most(&f, 5000 + 200 * WINDOW_US), 5, 10);
}

static void a_small_burst_after_a_large_one_does_not_shorten_the_memory_of_it(void **state)
{
	struct forecast f = {0};

	(void)state;
	need(&f, 5000, 16);
	need(&f, 5000 + HALF_LIFE_US, 1);
	assert_int_equal(most(&f, 5000 + HALF_LIFE_US), 8);
	assert_int_equal(most(&f, 5000 + 2 * HALF_LIFE_US), 4);
	need(&f, 5000 + 2 * HALF_LIFE_US, 10); /* and a larger one counts as such */
	assert_int_equal(most(&f, 5000 + 2 * HALF_LIFE_US), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_never_needed_is_not_expected),
		cmocka_unit_test(a_burst_that_came_once_is_expected_again_and_forgotten_in_the_end),
		cmocka_unit_test(a_burst_is_seen_whole_where_windows_meet_and_what_is_far_apart_does_not_add_up),
		cmocka_unit_test(a_steady_rate_is_what_comes_within_two_windows),
		cmocka_unit_test(a_small_burst_after_a_large_one_does_not_shorten_the_memory_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
