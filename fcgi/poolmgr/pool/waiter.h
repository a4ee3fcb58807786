/*
 * A request that waits for its sandbox: for its function to be looked up, then in its version's queue. Exactly one answer goes
 * to its worker: GRANT (poolmgr/pool/serve.c) or DENY.
 */
#ifndef POOLMGR_POOL_WAITER_H
#define POOLMGR_POOL_WAITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fields.h"
#include "ipc/problem_code.h"
#include "poolmgr/catalog/version.h"
#include "poolmgr/node/client.h"

struct waiter {
	struct client *client; /* NULL: the worker is gone or answered; the waiter is freed as soon as no lookup refers to it */
	uint64_t seq;
	char *ref;       /* the requested function; NULL for a check */
	uint32_t number; /* the requested version; 0: the current one */
	char request_id[80];
	int64_t queued_us, deadline_us;
	bool resolving;             /* a lookup refers to it */
	bool withdrawn;             /* its worker is told so when the lookup ends */
	struct version *version;    /* holds a reference, when it is known; the waiter is then in that version's queue */
	struct waiter *prev, *next; /* version->waiters */
	struct waiter *all_prev, *all_next; /* waiters */
};

/* All waiters, in the order of arrival. */
extern struct waiter *waiters;
extern int waiter_count;

struct waiter *waiter_new(struct client *client, uint64_t seq, uint64_t deadline_us, struct str request_id);

/*
 * Join: moves the waiter to the end of the version's queue, from the queue it is in, if any. Leave: takes it out of its queue.
 */
void waiter_join_queue(struct waiter *waiter, struct version *version);
void waiter_leave_queue(struct waiter *waiter);

/* Takes it out of its queue and frees it without an answer to the worker. */
void waiter_free(struct waiter *waiter);

/* Nobody waits for the answer any more: frees the waiter; if a lookup refers to it, when that ends. */
void waiter_abandon(struct waiter *waiter);

/* Denies the request, and frees the waiter; if a lookup refers to it, when that ends. */
void waiter_deny(struct waiter *waiter, enum problem_code code, enum throttled reason, const char *detail,
		 int64_t retry_after_ms);
void waiter_deny_all(struct version *version, enum problem_code code, const char *detail, int64_t retry_after_ms);

#endif
