/*
 * Decides from numbers alone how many processes a pool should have. A pool grows at once, because requests are waiting, by half
 * of its busy processes, so that it is soon large enough for any load. It shrinks slowly, because requests come in waves. A
 * pool of a fixed size has min_spare equal to max.
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

/* The processes of one pool that were not told to stop. */
struct sizing_count {
	int starting, idle, busy;
};

/* The number of processes to start now. */
int sizing_missing(const struct sizing_limits *limits, const struct sizing_count *count);

/*
 * Whether to stop one idle process now: at most one in SIZING_SHRINK_PAUSE_US. *shrunk_at_us remembers the last one; the caller
 * starts with 0.
 */
bool sizing_shrink(const struct sizing_limits *limits, const struct sizing_count *count, int64_t now_us, int64_t *shrunk_at_us);

/* Whether as many processes have finished their start as a pool without load has, so that those they replace may end. */
bool sizing_is_up(const struct sizing_limits *limits, const struct sizing_count *count);

#endif
