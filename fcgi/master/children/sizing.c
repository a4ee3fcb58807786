#include "master/children/sizing.h"

#include "base/defs.h"

static int total(const struct sizing_count *count)
{
	return count->starting + count->idle + count->busy;
}

/* The more requests there are, the more may arrive at once. */
static int spare_wanted(const struct sizing_limits *limits, const struct sizing_count *count)
{
	return MAX(limits->min_spare, count->busy / 2);
}

int sizing_missing(const struct sizing_limits *limits, const struct sizing_count *count)
{
	int spare = count->starting + count->idle;

	return MAX(0, MIN(spare_wanted(limits, count) - spare, limits->max - total(count)));
}

bool sizing_shrink(const struct sizing_limits *limits, const struct sizing_count *count, int64_t now_us, int64_t *shrunk_at_us)
{
	bool surplus = count->idle > 2 * spare_wanted(limits, count) || total(count) > limits->max;

	if (!surplus || count->idle == 0 || now_us - *shrunk_at_us < SIZING_SHRINK_PAUSE_US)
		return false;
	*shrunk_at_us = now_us;
	return true;
}

bool sizing_is_up(const struct sizing_limits *limits, const struct sizing_count *count)
{
	return count->idle + count->busy >= limits->min_spare;
}
