#include "ipc/tally.h"

#include "ipc/scoreboard.h"
#include "runtimes/driver.h"
#include "tests/unit/unit.h"

static const struct tally_invocation warm = {
	.runtime = "docker",
	.start = IPC_START_WARM,
	.error = -1,
	.request_bytes = 10,
	.response_bytes = 20,
	.us = {[TALLY_RESPONSE] = 700, [TALLY_QUEUE] = 0, [TALLY_INIT] = 0, [TALLY_EXEC] = 500},
};

/* The most that conf.def allows: limits.timeout_max_ms. */
#define LONGEST_US (900 * UINT64_C(1000000))

static uint64_t total(const struct tally_histogram *h)
{
	uint64_t count = 0;

	for (int i = 0; i < TALLY_BUCKETS; i++)
		count += h->buckets[i];
	return count;
}

static void an_invocation_counts_by_runtime_start_and_times(void **state)
{
	static struct tally t;

	(void)state;
	tally_clear(&t);
	tally_count(&t, &warm);
	tally_count(&t, &warm);
	assert_int_equal(t.invocations[0][IPC_START_WARM], 2);
	assert_int_equal(t.request_bytes, 20);
	assert_int_equal(t.response_bytes, 40);
	assert_int_equal(t.times[0][TALLY_RESPONSE].buckets[1], 2); /* above 500 us, up to 1 ms */
	assert_int_equal(t.times[0][TALLY_RESPONSE].sum_us, 1400);
	assert_int_equal(t.times[0][TALLY_EXEC].buckets[0], 2); /* a bound belongs to its bucket */
	assert_int_equal(t.times[0][TALLY_QUEUE].buckets[0], 2);
	assert_int_equal(total(&t.times[0][TALLY_INIT]), 0); /* nothing was loaded */
	for (int r = 0; r < TALLY_RUNTIMES; r++)
		for (int i = 0; i < TALLY_ERRORS; i++)
			assert_int_equal(t.errors[r][i], 0);
}

static void what_has_no_place_of_its_own_counts_as_none(void **state)
{
	struct tally_invocation odd = {.runtime = "chroot", .error = 11, .us = {[TALLY_RESPONSE] = -5}};
	static struct tally t;

	(void)state;
	tally_clear(&t);
	tally_count(&t, &odd);
	odd.error = TALLY_ERRORS;
	odd.us[TALLY_RESPONSE] = INT64_MAX;
	tally_count(&t, &odd);
	assert_int_equal(t.invocations[TALLY_RUNTIMES - 1][IPC_START_NONE], 2);
	assert_int_equal(t.errors[TALLY_RUNTIMES - 1][11], 1);
	assert_int_equal(t.times[TALLY_RUNTIMES - 1][TALLY_RESPONSE].buckets[0], 1);
	assert_int_equal(t.times[TALLY_RUNTIMES - 1][TALLY_RESPONSE].buckets[TALLY_BUCKETS - 1], 1);
}

static void every_runtime_has_its_place(void **state)
{
	(void)state;
	assert_int_equal(driver_count, TALLY_RUNTIMES - 1);
	for (size_t i = 0; i < driver_count; i++)
		assert_string_equal(tally_runtimes[i], drivers[i]->name);
}

static void the_longest_function_fits(void **state)
{
	(void)state;
	assert_true(tally_bound_us(TALLY_BUCKETS - 2) >= LONGEST_US);
}

static void what_a_child_has_counted_outlives_it(void **state)
{
	AUTO(scoreboard_close) struct scoreboard *board = NULL;
	static struct tally sum;
	struct err err;
	int fd;

	(void)state;
	assert_ok(scoreboard_create(3, &board, &fd, &err));
	close(fd);
	scoreboard_set_used(board, 3);
	for (int i = 0; i < 3; i++)
		tally_count(scoreboard_tally(board, i), &warm);
	scoreboard_tally_sum(board, &sum);
	assert_int_equal(sum.invocations[0][IPC_START_WARM], 3);
	scoreboard_retire(board, 1);
	scoreboard_retire(board, 2);
	scoreboard_tally_sum(board, &sum);
	assert_int_equal(sum.invocations[0][IPC_START_WARM], 3);
	assert_int_equal(sum.times[0][TALLY_RESPONSE].sum_us, 2100);
	tally_count(scoreboard_tally(board, 1), &warm);
	scoreboard_tally_sum(board, &sum);
	assert_int_equal(sum.invocations[0][IPC_START_WARM], 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_invocation_counts_by_runtime_start_and_times),
		cmocka_unit_test(what_has_no_place_of_its_own_counts_as_none),
		cmocka_unit_test(every_runtime_has_its_place),
		cmocka_unit_test(the_longest_function_fits),
		cmocka_unit_test(what_a_child_has_counted_outlives_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
