/*
 * How long a request may keep a worker waiting before others should know: most answers come within a fraction of a millisecond,
 * and what is worth doing for the others (worker/turn.h, run/lease.h) is not worth doing for those.
 */
#ifndef RUN_PATIENCE_H
#define RUN_PATIENCE_H

#include <poll.h>
#include <stdint.h>

struct patience {
	int64_t due_us;             /* monotonic; INT64_MAX: nobody wants to know, or they know already */
	int64_t until_us;           /* what is waited for will come at that time at the earliest; 0: not known */
	int64_t (*over)(void *arg); /* returns when to be called again, INT64_MAX: not any more */
	void *arg;
};

/* It is due now, unless it was over already. patience may be NULL. */
void patience_end(struct patience *patience);

/* The same when it will be due before until_us, which is known to be waited for. */
void patience_expect(struct patience *patience, int64_t until_us);

/* poll() until deadline_us, with patience, which may be NULL, ending on the way when it is due. */
int patience_poll(struct patience *patience, struct pollfd *fds, nfds_t count, int64_t deadline_us);

#endif
