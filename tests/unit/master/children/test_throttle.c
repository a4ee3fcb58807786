#include "master/children/throttle.h"

#include "tests/unit/unit.h"

#define SECOND 1000000LL
#define DELAY  (2 * SECOND)

/* A process that is started as soon as it may be and fails at once; returns how long it had to wait. */
static int64_t fail_again(struct throttle *t, int64_t *now_us)
{
	int64_t started_us = *now_us > t->not_before_us ? *now_us : t->not_before_us;
	int64_t waited_us = started_us - *now_us;

	*now_us = started_us + 1;
	throttle_on_exit(t, false, started_us, *now_us, DELAY);
	return waited_us;
}

static void the_first_failure_is_repaired_at_once(void **state)
{
	struct throttle t = {0};

	(void)state;
	assert_true(throttle_allows(&t, 0));
	throttle_on_exit(&t, false, 10 * SECOND, 11 * SECOND, DELAY);
	assert_true(throttle_allows(&t, 11 * SECOND));
}

static void the_wait_doubles_up_to_a_minute(void **state)
{
	static const int64_t waits[] = {0, 0, 2, 4, 8, 16, 32, 60, 60, 60};
	struct throttle t = {0};
	int64_t now_us = SECOND;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(waits); i++)
		assert_in_range(fail_again(&t, &now_us), MAX(0, waits[i] * SECOND - 1), waits[i] * SECOND);
	for (int i = 0; i < 100; i++) /* and does not overflow */
		assert_in_range(fail_again(&t, &now_us), 59 * SECOND, 60 * SECOND);
}

static void a_whole_pool_that_dies_together_has_failed_once(void **state)
{
	struct throttle t = {0};

	(void)state;
	for (int i = 0; i < 8; i++)
		throttle_on_exit(&t, false, 10 * SECOND + i, 11 * SECOND + i, DELAY);
	assert_int_equal(t.failures, 1);
	assert_true(throttle_allows(&t, 11 * SECOND));
}

static void a_successful_exit_forgets_the_failures(void **state)
{
	struct throttle t = {0};
	int64_t now_us = SECOND;

	(void)state;
	for (int i = 0; i < 5; i++)
		fail_again(&t, &now_us);
	assert_false(throttle_allows(&t, now_us));
	throttle_on_exit(&t, true, now_us, now_us + 1, DELAY);
	assert_true(throttle_allows(&t, now_us + 1));
	assert_int_equal(t.failures, 0);
}

static void who_lived_long_is_replaced_at_once(void **state)
{
	struct throttle t = {0};
	int64_t now_us = SECOND;

	(void)state;
	for (int i = 0; i < 5; i++)
		fail_again(&t, &now_us);
	now_us = t.not_before_us;
	throttle_on_exit(&t, false, now_us, now_us + THROTTLE_PROVEN_US, DELAY);
	assert_true(throttle_allows(&t, now_us + THROTTLE_PROVEN_US));
	assert_int_equal(t.failures, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_failure_is_repaired_at_once),
		cmocka_unit_test(the_wait_doubles_up_to_a_minute),
		cmocka_unit_test(a_whole_pool_that_dies_together_has_failed_once),
		cmocka_unit_test(a_successful_exit_forgets_the_failures),
		cmocka_unit_test(who_lived_long_is_replaced_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
