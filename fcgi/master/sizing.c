#include "master/sizing.h"

#include "base/defs.h"

static int total(const struct sizing_count *count)
{
	return count->starting + count->idle + count->busy;
}

int sizing_missing(const struct sizing_limits *limits, const struct sizing_count *count)
{
	int spare = count->starting + count->idle;

	return MAX(0, MIN(limits->min_spare - spare, limits->max - total(count)));
}

bool sizing_shrink(const struct sizing_limits *limits, const struct sizing_count *count, int64_t now_us, int64_t *shrunk_at_us)
{
	bool surplus = count->idle > 2 * limits->min_spare || total(count) > limits->max;

	if (!surplus || count->idle == 0 || now_us - *shrunk_at_us < SIZING_SHRINK_PAUSE_US)
		return false;
	*shrunk_at_us = now_us;
	return true;
}

bool sizing_is_up(const struct sizing_limits *limits, const struct sizing_count *count)
{
	return count->idle + count->busy >= limits->min_spare;
}
