/*
 * How many of something will be needed at a time, learnt from when it was needed: the most within one or two windows, which
 * fades. What came once is met the next time, and forgotten when it does not come again.
 */
#ifndef POOLMGR_CATALOG_FORECAST_H
#define POOLMGR_CATALOG_FORECAST_H

#include <stdint.h>

/* All zero at first. */
struct forecast {
	int64_t window_end_us; /* of the window that counts now */
	int now, before;       /* needed in it, and in the one before */
	double most;           /* of both together, at most_us */
	int64_t most_us;
};

/* One was needed. window_us: how long it takes to get another one. */
void forecast_needed(struct forecast *forecast, int64_t now_us, int64_t window_us, int64_t half_life_us);

/* How many may be needed at once. */
int forecast_most(const struct forecast *forecast, int64_t now_us, int64_t half_life_us);

#endif
