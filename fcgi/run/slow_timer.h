/*
 * Calls a function when a request has kept its worker waiting for some time, so that the worker gives up its turn and its kept
 * sandboxes (worker/turn.h, run/lease.h). Most answers come within a fraction of a millisecond, and that would not be
 * worthwhile for them.
 */
#ifndef RUN_SLOW_TIMER_H
#define RUN_SLOW_TIMER_H

#include <poll.h>
#include <stdint.h>

struct slow_timer {
	int64_t due_us;             /* when to call over; monotonic; INT64_MAX: never, or it was called already */
	int64_t until_us;           /* the earliest time at which the answer is expected; 0: not known */
	int64_t (*over)(void *arg); /* returns when to call it again; INT64_MAX: not any more */
	void *arg;
};

/* Calls over now, unless that was done already. slow_timer may be NULL. */
void slow_timer_fire(struct slow_timer *slow_timer);

/* The same if over would be due before until_us, until which the caller will certainly wait. */
void slow_timer_expect(struct slow_timer *slow_timer, int64_t until_us);

/* poll() until deadline_us that calls over when it is due. slow_timer may be NULL. */
int slow_timer_poll(struct slow_timer *slow_timer, struct pollfd *fds, nfds_t count, int64_t deadline_us);

#endif
