#include "master/children/throttle.h"

#include "base/defs.h"

/* 0, delay, 2 delay, 4 delay, … */
static int64_t wait_us(int failures, int64_t delay_us)
{
	int64_t wait = failures > 1 ? delay_us : 0;

	for (int i = 2; i < failures && wait < THROTTLE_MAX_US; i++)
		wait *= 2;
	return MIN(wait, THROTTLE_MAX_US);
}

void throttle_on_exit(struct throttle *t, bool success, int64_t started_us, int64_t now_us, int64_t delay_us)
{
	if (success) {
		*t = (struct throttle){0};
		return;
	}
	if (t->failures > 0 && started_us < t->failed_at_us)
		return;
	if (now_us - started_us >= THROTTLE_PROVEN_US)
		t->failures = 0;
	t->failures++;
	t->failed_at_us = now_us;
	t->not_before_us = now_us + wait_us(t->failures, delay_us);
}

bool throttle_allows(const struct throttle *t, int64_t now_us)
{
	return now_us >= t->not_before_us;
}
