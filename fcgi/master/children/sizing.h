/*
 * How many processes a pool should have, decided from numbers alone. A pool grows at once, because requests are waiting, and by
 * half of those that are busy, so that it is soon large enough for any load; it shrinks slowly, because requests come in waves.
 * A pool of a fixed size is one whose min_spare equals its max.
 */
#ifndef MASTER_CHILDREN_SIZING_H
#define MASTER_CHILDREN_SIZING_H

#include <stdbool.h>
#include <stdint.h>

#define SIZING_SHRINK_PAUSE_US 1000000

struct sizing_limits {
	int min_spare; /* <= max */
	int max;
};

/* Processes of one pool that were not told to stop. */
struct sizing_count {
	int starting, idle, busy;
};

/* How many to start now. */
int sizing_missing(const struct sizing_limits *limits, const struct sizing_count *count);

/*
 * Whether to stop one idle process now: at most one in SIZING_SHRINK_PAUSE_US. *shrunk_at_us remembers the last one; the caller
 * starts with 0.
 */
bool sizing_shrink(const struct sizing_limits *limits, const struct sizing_count *count, int64_t now_us, int64_t *shrunk_at_us);

/* Whether as many are past their start as a pool without load has: those they replace may go. */
bool sizing_is_up(const struct sizing_limits *limits, const struct sizing_count *count);

#endif
