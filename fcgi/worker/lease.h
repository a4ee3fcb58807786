/*
 * Leases: a worker's side of its conversation with poolmgr (ipc/ipc_msg.def). The connection is made when first needed and made
 * anew when it breaks. Until a sandbox was granted nothing has run, so a question whose answer was lost is simply asked again,
 * until its deadline: a restart of poolmgr is a short wait, not an error.
 */
#ifndef WORKER_LEASE_H
#define WORKER_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"
#include "ipc/ipc.h"
#include "worker/problem.h"

struct lease_client;

struct lease_client *lease_client_new(const char *run_dir); /* does not connect yet */
void lease_client_free(struct lease_client **client);       /* destructor for AUTO; accepts NULL */

/* A sandbox that is ours until lease_release; a worker has one at most. Initialise with LEASE_NONE. */
struct lease {
	uint64_t id;
	char sandbox_id[64];
	enum ipc_start_kind start_kind;
	struct uuid function_id;
	uint32_t version;
	uint32_t timeout_ms;
	uint32_t memory_limit_mb;
	char runtime[32];
	struct buf init; /* payload of the INIT that is still to be sent; empty: the agent is initialised */
	int control_fd;  /* -1: no lease */
	int log_fd;
	uint64_t generation; /* the connection it came over; another one leads to another poolmgr */
};
#define LEASE_NONE ((struct lease){.control_fd = -1, .log_fd = -1})

/* Why there is no sandbox. */
struct denial {
	struct problem problem;
	bool known; /* which function it is about is known: the two below are set */
	struct uuid function_id;
	uint32_t version;
};

/*
 * Asks for a sandbox of a function, by id or name; version 0 is the current one. -1: none, and *denial, which the caller
 * clears, says why. Takes no longer than a second more than deadline_us.
 */
int lease_acquire(struct lease_client *client, const char *function, uint32_t version, const char *request_id,
		  int64_t deadline_us, struct lease *lease, struct denial *denial);

/* The same for a version that is not stored yet: spec is its JSON, archive its package. */
int lease_check(struct lease_client *client, const char *spec, const void *archive, size_t archive_len, const char *request_id,
		int64_t deadline_us, struct lease *lease, struct denial *denial);

/*
 * Gives the sandbox back and closes its descriptors; destroy_reason NULL: it may serve again. When poolmgr cannot be told, the
 * connection is dropped, which destroys the sandbox.
 */
void lease_release(struct lease_client *client, struct lease *lease, const char *destroy_reason);

/*
 * While a lease is held, poolmgr has nothing to say: a readable lease_watch_fd means it is gone. Call lease_watch then, and at
 * lease_watch_due_us, and it names the sandbox to the next poolmgr, so that the invocation can finish.
 */
int lease_watch_fd(const struct lease_client *client);         /* -1 while there is no connection */
int64_t lease_watch_due_us(const struct lease_client *client); /* INT64_MAX: never */
void lease_watch(struct lease_client *client);                 /* never blocks */

/* Tells poolmgr that older versions may not run any more (version 0: none at all), and waits until it knows. */
int lease_invalidate(struct lease_client *client, const struct uuid *function_id, uint32_t version, int64_t deadline_us,
		     struct err *err);

/* poolmgr's numbers, JSON. */
int lease_stats(struct lease_client *client, int64_t deadline_us, struct buf *json, struct err *err);

#endif
