#include "master/children/sizing.h"

#include "tests/unit/unit.h"

static const struct sizing_limits limits = {.min_spare = 4, .max = 10};
static const struct sizing_limits fixed = {.min_spare = 3, .max = 3};

static void an_empty_pool_starts_with_its_spares(void **state)
{
	struct sizing_count none = {0};

	(void)state;
	assert_int_equal(sizing_missing(&limits, &none), 4);
	assert_int_equal(sizing_missing(&fixed, &none), 3);
}

static void starting_processes_count_as_spares(void **state)
{
	struct sizing_count count = {.starting = 3, .idle = 1, .busy = 2};

	(void)state;
	assert_int_equal(sizing_missing(&limits, &count), 0);
	count.starting = 1;
	assert_int_equal(sizing_missing(&limits, &count), 2);
}

static void the_more_are_busy_the_more_are_started(void **state)
{
	static const struct sizing_limits large = {.min_spare = 4, .max = 100};
	struct sizing_count count = {.busy = 40};
	int64_t shrunk_at_us = 0;

	(void)state;
	assert_int_equal(sizing_missing(&large, &count), 20);
	count.idle = 20;
	assert_int_equal(sizing_missing(&large, &count), 0);
	assert_false(sizing_shrink(&large, &count, 100000000, &shrunk_at_us));
	count.idle = 41;
	assert_true(sizing_shrink(&large, &count, 100000000, &shrunk_at_us));
}

static void a_pool_never_grows_beyond_its_max(void **state)
{
	struct sizing_count count = {.busy = 8};

	(void)state;
	assert_int_equal(sizing_missing(&limits, &count), 2);
	count.busy = 10;
	assert_int_equal(sizing_missing(&limits, &count), 0);
	count.busy = 12; /* max was lowered */
	assert_int_equal(sizing_missing(&limits, &count), 0);
}

static void a_fixed_pool_is_only_filled_up(void **state)
{
	struct sizing_count count = {.busy = 2};
	int64_t shrunk_at_us = 0;

	(void)state;
	assert_int_equal(sizing_missing(&fixed, &count), 1);
	count.busy = 3;
	assert_int_equal(sizing_missing(&fixed, &count), 0);
	count = (struct sizing_count){.idle = 3};
	assert_false(sizing_shrink(&fixed, &count, 100000000, &shrunk_at_us));
}

static void a_pool_shrinks_by_one_each_second(void **state)
{
	struct sizing_count count = {.idle = 9};
	int64_t shrunk_at_us = 0, now_us = 5 * SIZING_SHRINK_PAUSE_US;

	(void)state;
	assert_true(sizing_shrink(&limits, &count, now_us, &shrunk_at_us));
	assert_false(sizing_shrink(&limits, &count, now_us, &shrunk_at_us));
	assert_false(sizing_shrink(&limits, &count, now_us + SIZING_SHRINK_PAUSE_US - 1, &shrunk_at_us));
	assert_true(sizing_shrink(&limits, &count, now_us + SIZING_SHRINK_PAUSE_US, &shrunk_at_us));
}

static void twice_the_spares_may_stay(void **state)
{
	struct sizing_count count = {.idle = 8};
	int64_t shrunk_at_us = 0;

	(void)state;
	assert_false(sizing_shrink(&limits, &count, 100000000, &shrunk_at_us));
}

static void a_pool_over_a_lowered_max_shrinks_when_somebody_is_idle(void **state)
{
	struct sizing_count count = {.busy = 12};
	int64_t shrunk_at_us = 0;

	(void)state;
	assert_false(sizing_shrink(&limits, &count, 100000000, &shrunk_at_us));
	count = (struct sizing_count){.busy = 11, .idle = 1};
	assert_true(sizing_shrink(&limits, &count, 100000000, &shrunk_at_us));
}

static void growing_and_shrinking_never_take_turns(void **state)
{
	(void)state;
	for (int idle = 0; idle <= 12; idle++) {
		for (int busy = 0; busy <= 12; busy++) {
			struct sizing_count count = {.idle = idle, .busy = busy};
			int64_t shrunk_at_us = 0;
			if (!sizing_shrink(&limits, &count, 100000000, &shrunk_at_us))
				continue;
			count.idle--;
			assert_int_equal(sizing_missing(&limits, &count), 0);
		}
	}
}

static void a_pool_is_up_when_its_spares_are_past_their_start(void **state)
{
	struct sizing_count count = {.starting = 4};

	(void)state;
	assert_false(sizing_is_up(&limits, &count));
	count = (struct sizing_count){.idle = 1, .busy = 3};
	assert_true(sizing_is_up(&limits, &count));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_pool_starts_with_its_spares),
		cmocka_unit_test(starting_processes_count_as_spares),
		cmocka_unit_test(a_pool_never_grows_beyond_its_max),
		cmocka_unit_test(a_fixed_pool_is_only_filled_up),
		cmocka_unit_test(a_pool_shrinks_by_one_each_second),
		cmocka_unit_test(twice_the_spares_may_stay),
		cmocka_unit_test(a_pool_over_a_lowered_max_shrinks_when_somebody_is_idle),
		cmocka_unit_test(growing_and_shrinking_never_take_turns),
		cmocka_unit_test(a_pool_is_up_when_its_spares_are_past_their_start),
		cmocka_unit_test(the_more_are_busy_the_more_are_started),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
