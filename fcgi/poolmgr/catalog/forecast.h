/*
 * Predicts how many of something will be needed at a time, from past demand: the maximum within one or two windows, which
 * decays. A single peak is remembered for its next occurrence, and forgotten if it does not recur.
 */
#ifndef POOLMGR_CATALOG_FORECAST_H
#define POOLMGR_CATALOG_FORECAST_H

#include <stdint.h>

/* All zero at first. */
struct forecast {
	int64_t window_end_us; /* end of the current window */
	int now, before;       /* demand in the current and in the previous window */
	double most;           /* the maximum over both, at most_us */
	int64_t most_us;
};

/* Notes that one was needed. window_us: how long it takes to get another one. */
void forecast_needed(struct forecast *forecast, int64_t now_us, int64_t window_us, int64_t half_life_us);

/* The number that may be needed at once. */
int forecast_most(const struct forecast *forecast, int64_t now_us, int64_t half_life_us);

#endif
