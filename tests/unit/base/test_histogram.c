#include "base/histogram.h"

#include <math.h>

#include "base/fields.h"
#include "tests/unit/unit.h"

static uint64_t seed = 1;

/* Some numbers of every size up to about that. */
static uint64_t next_random(double largest)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint64_t)exp((double)(seed >> 11) / (double)(1ull << 53) * log(largest));
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void assert_same(const struct histogram *a, const struct histogram *b)
{
	assert_int_equal(a->used, b->used);
	for (uint32_t i = 0; i < a->used; i++) {
		assert_int_equal(a->buckets[i].index, b->buckets[i].index);
		assert_int_equal(a->buckets[i].count, b->buckets[i].count);
	}
}

static void a_quantile_is_within_two_percent(void **state)
{
	static const double shares[] = {0, 0.001, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
	enum { COUNT = 20000 };
	static uint64_t values[COUNT];

	(void)state;
	for (double largest = 10; largest < 7e10; largest *= 10) {
		AUTO(histogram_free) struct histogram h = {0};
		for (int i = 0; i < COUNT; i++)
			histogram_add(&h, values[i] = next_random(largest));
		qsort(values, COUNT, sizeof(values[0]), compare_u64);
		assert_int_equal(histogram_count(&h), COUNT);
		for (size_t i = 0; i < ARRAY_SIZE(shares); i++) {
			double exact = (double)values[(int)MAX(ceil(shares[i] * COUNT), 1) - 1];
			double error = fabs(histogram_quantile(&h, shares[i]) - exact) / exact;
			if (error > 0.02)
				fail_msg("share %g of up to %g: off by %g", shares[i], largest, error);
		}
	}
}

static void every_duration_has_its_place(void **state)
{
	AUTO(histogram_free) struct histogram h = {0};

	(void)state;
	assert_true(histogram_quantile(&h, 0.5) == 0);
	histogram_add(&h, 0);
	assert_true(histogram_quantile(&h, 1) == 0);
	histogram_add(&h, UINT64_MAX);
	assert_int_equal(h.buckets[1].index, HISTOGRAM_BUCKETS - 1);
	for (uint64_t us = 1; us < 100; us++) {
		AUTO(histogram_free) struct histogram one = {0};
		histogram_add(&one, us);
		assert_true(fabs(histogram_quantile(&one, 0.5) - (double)us) <= 0.02 * (double)us);
	}
}

static void two_together_are_as_if_all_had_been_added_to_one(void **state)
{
	AUTO(histogram_free) struct histogram a = {0}, b = {0}, all = {0};

	(void)state;
	for (int i = 0; i < 5000; i++) {
		uint64_t us = next_random(1e7);
		histogram_add(i % 3 == 0 ? &a : &b, us);
		histogram_add(&all, us);
	}
	histogram_merge(&a, &b);
	assert_same(&a, &all);
}

static void bytes_give_back_what_was_written(void **state)
{
	AUTO(histogram_free) struct histogram h = {0}, back = {0};
	AUTO(buf_free) struct buf bytes = {0};
	struct err err;

	(void)state;
	for (int i = 0; i < 3000; i++)
		histogram_add(&h, next_random(6e10));
	histogram_add(&h, 0);
	h.buckets[0].count = UINT64_MAX / 2;
	histogram_encode(&h, &bytes);
	assert_ok(histogram_merge_encoded(&back, bytes.data, bytes.len, &err));
	assert_same(&back, &h);
	/* Once more is twice as much. */
	back.buckets[0].count = 1;
	assert_ok(histogram_merge_encoded(&back, bytes.data, bytes.len, &err));
	assert_int_equal(back.buckets[0].count, UINT64_MAX / 2 + 1);
	assert_int_equal(back.buckets[1].count, 2 * h.buckets[1].count);
}

static void a_busy_minute_takes_few_bytes(void **state)
{
	AUTO(histogram_free) struct histogram h = {0}, none = {0};
	AUTO(buf_free) struct buf bytes = {0};

	(void)state;
	for (int i = 0; i < 60 * 10000; i++)
		histogram_add(&h, 800 + next_random(20000));
	histogram_encode(&h, &bytes);
	assert_in_range(bytes.len, 50, 400);
	buf_reset(&bytes);
	histogram_encode(&none, &bytes);
	assert_int_equal(bytes.len, 0);
}

static void bytes_that_are_no_histogram_are_refused(void **state)
{
	static const struct str rows[] = {
		{"\2\1\1", 3},                                          /* another format */
		{"\1\1", 2},                                            /* no count */
		{"\1\1\200", 3},                                        /* a count without its end */
		{"\1\0\1", 3},                                          /* the same bucket again, or none before the first */
		{"\1\1\0", 3},                                          /* nobody in it */
		{"\1\201\5\1", 4},                                      /* bucket 640 */
		{"\1\200\5\1\1\1", 6},                                  /* bucket 639 and one behind it */
		{"\1\1\1\377\377\377\377\377\377\377\377\377\1\1", 14}, /* round the corner */
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(histogram_free) struct histogram h = {0};
		histogram_add(&h, 5);
		assert_fails(histogram_merge_encoded(&h, rows[i].data, rows[i].len, &err), "no histogram");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quantile_is_within_two_percent),
		cmocka_unit_test(every_duration_has_its_place),
		cmocka_unit_test(two_together_are_as_if_all_had_been_added_to_one),
		cmocka_unit_test(bytes_give_back_what_was_written),
		cmocka_unit_test(a_busy_minute_takes_few_bytes),
		cmocka_unit_test(bytes_that_are_no_histogram_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
