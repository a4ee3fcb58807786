/*
 * When a process that failed may be started again. The first failure costs nothing: a lone crash is repaired at once. From the
 * second in a row on, each one doubles the wait. Time comes in as an argument.
 */
#ifndef MASTER_CHILDREN_THROTTLE_H
#define MASTER_CHILDREN_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define THROTTLE_MAX_US    60000000 /* the longest wait */
#define THROTTLE_PROVEN_US 10000000 /* who lived this long had started well */

/* One per role; zero-initialised is "never failed". */
struct throttle {
	int failures;          /* in a row */
	int64_t failed_at_us;  /* the last that was counted */
	int64_t not_before_us; /* no start before */
};

/*
 * A process ended at now_us that nobody had told to. Processes that were started before the last failure was counted belong to
 * that failure: a pool of eight that dies of one cause has failed once.
 */
void throttle_on_exit(struct throttle *t, bool success, int64_t started_us, int64_t now_us, int64_t delay_us);

bool throttle_allows(const struct throttle *t, int64_t now_us);

#endif
