#include "control/metrics/period.h"

#include <inttypes.h>

#include "base/clock.h"

#define MINUTE_S       60
#define HOUR_S         3600
#define DAY_S          86400
#define DEFAULT_US     3600000000ll
#define EARLIEST_US    0
#define LATEST_US      4102444800000000ll /* 2100 */
#define LONGEST_STEP_S (366 * DAY_S)

/* Round lengths of a step, in seconds. */
static const int64_t steps_s[] = {
	MINUTE_S,  2 * MINUTE_S, 5 * MINUTE_S, 10 * MINUTE_S, 15 * MINUTE_S, 30 * MINUTE_S,
	HOUR_S,    2 * HOUR_S,   3 * HOUR_S,   6 * HOUR_S,    12 * HOUR_S,   DAY_S,
	2 * DAY_S, 7 * DAY_S,    14 * DAY_S,   28 * DAY_S,    91 * DAY_S,    364 * DAY_S,
};

static int parse_time(const struct request *request, const char *name, int64_t *us, struct err *err)
{
	const char *text = request_param(request, name);

	if (text == NULL)
		return 0;
	if (!clock_parse(text, us) || *us < EARLIEST_US || *us > LATEST_US)
		return err_set(err, 0, "'%s' must be a time such as 2026-01-31T12:00:00Z, or seconds since 1970", name);
	return 0;
}

/* The shortest step for which rows of that time are still kept. */
static int64_t least_step_s(const struct conf *conf, int64_t from_us, int64_t now_us)
{
	int64_t age_us = now_us - from_us;

	if (conf->retention_hour_days > 0 && age_us > conf->retention_hour_days * DAY_S * 1000000)
		return DAY_S;
	if (conf->retention_minute_days > 0 && age_us > conf->retention_minute_days * DAY_S * 1000000)
		return HOUR_S;
	return MINUTE_S;
}

static int64_t choose_step_s(int64_t length_us, int64_t least_s)
{
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(steps_s) && (steps_s[i] < least_s || length_us / 1000000 / steps_s[i] > PERIOD_POINTS_AUTO))
		i++;
	return steps_s[i];
}

static int check_step(int64_t step_s, int64_t least_s, struct err *err)
{
	if (step_s % MINUTE_S != 0)
		return err_set(err, 0, "'step' must be a multiple of 60 seconds, such as 60, 300 or 3600");
	if (step_s % least_s != 0)
		return err_set(err, 0,
			       "data as old as 'from' is kept in steps of %" PRId64 " s; 'step' must be a multiple of that",
			       least_s);
	return 0;
}

int period_parse(const struct request *request, const struct conf *conf, int64_t now_us, struct period *p, struct err *err)
{
	int64_t step_s = 0;

	p->to_us = now_us;
	if (parse_time(request, "to", &p->to_us, err) < 0)
		return -1;
	p->from_us = p->to_us - DEFAULT_US;
	if (parse_time(request, "from", &p->from_us, err) < 0)
		return -1;
	if (p->from_us >= p->to_us)
		return err_set(err, 0, "'from' must be before 'to'");
	if (request_param_int(request, "step", MINUTE_S, LONGEST_STEP_S, &step_s, err) < 0)
		return -1;
	int64_t least_s = least_step_s(conf, p->from_us, now_us);
	if (step_s == 0)
		step_s = choose_step_s(p->to_us - p->from_us, least_s);
	else if (check_step(step_s, least_s, err) < 0)
		return -1;
	p->step_us = step_s * 1000000;
	p->from_us -= p->from_us % p->step_us;
	p->to_us += (p->step_us - p->to_us % p->step_us) % p->step_us;
	if (period_points(p) > PERIOD_POINTS_MAX)
		return err_set(err, 0, "the period has more than %d points; choose a longer 'step'", PERIOD_POINTS_MAX);
	p->span = step_s % DAY_S == 0 ? ROLLUP_DAY : step_s % HOUR_S == 0 ? ROLLUP_HOUR : ROLLUP_MINUTE;
	return 0;
}

int period_points(const struct period *p)
{
	return (int)((p->to_us - p->from_us) / p->step_us);
}
