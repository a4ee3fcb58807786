/*
 * Leases: the sandboxes poolmgr has granted to this worker. It has one in hand at most, in which an invocation runs, and keeps
 * others for a moment in case the next request wants the same function, which then costs no conversation with poolmgr. What is
 * kept goes back when poolmgr asks for it, when the moment is over, and when a request takes long.
 *
 * Until a sandbox was granted nothing has run, so the question may be asked again while poolmgr restarts (run/link.h).
 */
#ifndef RUN_LEASE_H
#define RUN_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/uuid.h"
#include "http/problem.h"
#include "ipc/counter.h"
#include "ipc/ipc.h"
#include "run/mask.h"
#include "run/meter.h"
#include "run/patience.h"

#define LEASE_KEEP_US      100000
#define LEASE_KEPT_MAX     IPC_KEPT_MAX
#define LEASE_FUNCTION_MAX 64 /* a longer name is not kept for */

struct lease_client;

/* Does not connect yet. patience is borrowed and may be NULL; keeps: may it keep sandboxes? */
struct lease_client *lease_client_new(const char *run_dir, struct patience *patience, bool keeps);

/* Destructor for AUTO; accepts NULL. What is kept goes back. */
void lease_client_free(struct lease_client **client);

/* A sandbox that is ours until lease_release; a worker has one at most. Initialise with LEASE_NONE. */
struct lease {
	uint64_t id;
	char sandbox_id[64];
	enum ipc_start_kind start_kind;
	struct uuid function_id;
	uint32_t version;
	uint32_t timeout_ms;
	uint32_t init_timeout_ms;
	uint32_t memory_limit_mb;
	uint32_t response_bytes;
	uint32_t log_bytes;
	bool single_use;   /* it goes back after one invocation */
	uint32_t usual_us; /* how long an invocation takes; 0: not known */
	char runtime[32];
	struct mask *mask;        /* owned: for the secrets in what it prints; NULL: it has none */
	struct buf init;          /* payload of the INIT that is still to be sent; empty: the agent is initialised */
	int control_fd;           /* -1: no lease */
	int log_fd, error_log_fd; /* of stdout, of stderr */
	struct meter meter;       /* owns its descriptors */

	/* For keeping it. */
	char function[LEASE_FUNCTION_MAX + 1]; /* as it was asked for; "" not to be kept */
	uint32_t asked_version;
	uint64_t generation; /* the connection it came over; another one leads to another poolmgr */
	int64_t since_us;    /* in hand, or kept */
	bool is_trial;       /* of lease_check: says nothing about how long invocations take */
	uint32_t runs;
	int64_t busy_us;
};
#define LEASE_NONE ((struct lease){.control_fd = -1, .log_fd = -1, .error_log_fd = -1, .meter = METER_NONE})

/* Why there is no sandbox. */
struct denial {
	struct problem problem;
	bool known; /* which function it is about is known: the two below are set */
	struct uuid function_id;
	uint32_t version;
};

/*
 * Gets a sandbox of a function, by id or name; version 0 is the current one. -1: none, and *denial, which the caller
 * clears, says why. Takes no longer than a second more than deadline_us.
 */
int lease_acquire(struct lease_client *client, const char *function, uint32_t version, const char *request_id,
		  int64_t deadline_us, struct lease *lease, struct denial *denial);

/*
 * Asks for a sandbox to try a version in that is not stored yet: spec is its JSON, archive its package. archive NULL: the
 * package is stored, as that of another version.
 */
int lease_check(struct lease_client *client, const char *spec, const void *archive, size_t archive_len, const char *request_id,
		int64_t deadline_us, struct lease *lease, struct denial *denial);

/*
 * Keeps the sandbox or gives it back; in any case it is not the caller's any more. destroy_reason 0: it may serve again.
 * When poolmgr cannot be told, the connection is dropped, which destroys the sandbox.
 */
void lease_release(struct lease_client *client, struct lease *lease, enum counter destroy_reason);

/* How the sandbox in hand ended, whose agent is gone. */
struct finding {
	bool known;
	bool out_of_memory;
	uint32_t exit_code; /* 128 + the number of the signal that ended it */
};

/* Asks poolmgr: takes a millisecond as a rule; as long as Docker does, some seconds at most, when all in the sandbox was
 * killed. */
struct finding lease_autopsy(struct lease_client *client, const struct lease *lease);

bool lease_keeps_any(const struct lease_client *client);

/* Gives back all that is kept: something else takes long. */
void lease_give_back(struct lease_client *client);

/* Between requests: gives back what was kept long enough. Returns when to call again, INT64_MAX when nothing is kept. */
int64_t lease_rest(struct lease_client *client, int64_t now_us);

/*
 * While a sandbox is in hand or kept, poolmgr may ask for it, or be gone: a readable lease_watch_fd says so. During an
 * invocation call lease_watch then, and at lease_watch_due_us: it names the sandbox to the next poolmgr, so that the invocation
 * can finish. Between requests call lease_hear.
 */
int lease_watch_fd(const struct lease_client *client);              /* -1 while there is no connection */
uint64_t lease_watch_generation(const struct lease_client *client); /* another number: lease_watch_fd is another one */
int64_t lease_watch_due_us(const struct lease_client *client);      /* INT64_MAX: never */
void lease_watch(struct lease_client *client);                      /* never blocks */
void lease_hear(struct lease_client *client);                       /* never blocks */

/* Whether the sandbox in hand was not asked for since it was granted. One that was kept must not be used again when it was. */
bool lease_is_ours(const struct lease_client *client);

/* Tells poolmgr that older versions may not run any more (version 0: none at all), and waits until it knows. */
int lease_invalidate(struct lease_client *client, const struct uuid *function_id, uint32_t version, int64_t deadline_us,
		     struct err *err);

/* poolmgr's numbers, JSON. */
int lease_stats(struct lease_client *client, bool whole, int64_t deadline_us, struct buf *json, struct err *err);

#endif
