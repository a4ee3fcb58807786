/*
 * When a process that failed may be started again. After a single failure it is restarted at once; from the second failure in a
 * row on, each one doubles the wait. Time is an argument.
 */
#ifndef MASTER_CHILDREN_THROTTLE_H
#define MASTER_CHILDREN_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_MAX_US    60000000 /* the longest wait */
#define THROTTLE_PROVEN_US 10000000 /* a process that ran this long has started successfully */

/* One per role; zero-initialised: it has never failed. */
struct throttle {
	int failures;          /* in a row */
	int64_t failed_at_us;  /* time of the last failure that was counted */
	int64_t not_before_us; /* no start before this time */
};

/*
 * A process ended at now_us without having been told to. If it was started before the last failure was counted, it belongs to
 * that failure: a pool of eight processes that die of one cause has failed once.
 */
void throttle_on_exit(struct throttle *t, bool success, int64_t started_us, int64_t now_us, int64_t delay_us);

bool throttle_allows(const struct throttle *t, int64_t now_us);

#endif
