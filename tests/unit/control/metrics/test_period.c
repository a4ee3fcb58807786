#include "control/metrics/period.h"

#include "base/clock.h"
#include "tests/unit/unit.h"

#define S   1000000ll
#define M   (60 * S)
#define H   (60 * M)
#define D   (24 * H)
#define NOW 1767225725000000ll /* 2026-01-01T00:02:05Z */

static struct conf conf = {.retention_raw_days = 14, .retention_minute_days = 30, .retention_hour_days = 400};

static int parse(const char *query, struct period *period, struct err *why)
{
	static struct request request;
	struct request_source source = {.method = "GET", .uri = "/metrics/system", .query = query};

	struct err err;

	assert_ok(request_parse(&source, &request, &err));
	return period_parse(&request, &conf, NOW, period, why);
}

static void who_does_not_say_gets_the_last_hour_by_the_minute(void **state)
{
	struct period p;
	struct err err;

	(void)state;
	assert_ok(parse("", &p, &err));
	assert_int_equal(p.step_us, M);
	assert_int_equal(p.span, ROLLUP_MINUTE);
	assert_int_equal(p.from_us, NOW - 5 * S - H);
	assert_int_equal(p.to_us, NOW - 5 * S + M);
	assert_int_equal(period_points(&p), 61);
}

static void a_period_is_told_in_some_three_hundred_points_at_most(void **state)
{
	static const struct {
		int64_t length_us, step_us;
		enum rollup_span span;
	} rows[] = {
		{M, M, ROLLUP_MINUTE},          {5 * H, M, ROLLUP_MINUTE},    {6 * H, 2 * M, ROLLUP_MINUTE},
		{24 * H, 5 * M, ROLLUP_MINUTE}, {7 * D, H, ROLLUP_HOUR},      {29 * D, 3 * H, ROLLUP_HOUR},
		{90 * D, 12 * H, ROLLUP_HOUR},  {399 * D, 2 * D, ROLLUP_DAY}, {3650 * D, 14 * D, ROLLUP_DAY},
	};
	char query[128];
	struct period p;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(query, sizeof(query), "from=%lld&to=%lld", (long long)((NOW - rows[i].length_us) / S), NOW / S);
		assert_ok(parse(query, &p, &err));
		assert_int_equal(p.step_us, rows[i].step_us);
		assert_int_equal(p.span, rows[i].span);
		assert_in_range(period_points(&p), 1, PERIOD_POINTS_AUTO + 2);
		assert_int_equal(p.from_us % p.step_us, 0);
		assert_int_equal(p.to_us % p.step_us, 0);
		assert_true(p.from_us <= NOW - rows[i].length_us && p.to_us >= NOW);
	}
}

static void the_past_has_steps_as_coarse_as_what_is_kept_of_it(void **state)
{
	struct period p;
	struct err err;

	(void)state;
	assert_ok(parse("from=2025-11-20T00:00:00Z&to=2025-11-20T01:00:00Z", &p, &err));
	assert_int_equal(p.step_us, H);
	assert_ok(parse("from=2024-11-20T00:00:00Z&to=2024-11-20T01:00:00Z", &p, &err));
	assert_int_equal(p.step_us, D);
	assert_fails(parse("from=2025-11-20T00:00:00Z&to=2025-11-20T01:00:00Z&step=60", &p, &err), "steps of 3600 s");
	conf.retention_minute_days = 0; /* for ever */
	assert_ok(parse("from=2025-11-20T00:00:00Z&to=2025-11-20T01:00:00Z&step=60", &p, &err));
	conf.retention_minute_days = 30;
}

static void what_makes_no_sense_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *query, *why;
	} rows[] = {
		{"from=yesterday", "'from' must be a time"},
		{"to=9999999999", "'to' must be a time"},
		{"from=2025-12-31T01:00:00Z&to=2025-12-31T01:00:00Z", "'from' must be before 'to'"},
		{"to=2025-12-31T01:00:00Z&from=2026-12-31T01:00:00Z", "'from' must be before 'to'"},
		{"step=90", "multiple of 60 seconds"},
		{"step=1", "step"},
		{"step=x", "step"},
		{"from=2025-12-10T00:00:00Z&step=60", "more than 2000 points"},
	};
	struct period p;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_fails(parse(rows[i].query, &p, &err), rows[i].why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_does_not_say_gets_the_last_hour_by_the_minute),
		cmocka_unit_test(a_period_is_told_in_some_three_hundred_points_at_most),
		cmocka_unit_test(the_past_has_steps_as_coarse_as_what_is_kept_of_it),
		cmocka_unit_test(what_makes_no_sense_is_refused_with_its_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
