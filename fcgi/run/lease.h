/*
 * Leases are the sandboxes that poolmgr has granted to this worker. At most one is in use, by the current invocation. The
 * worker keeps others for a moment in case the next request is for the same function, which then needs no conversation with
 * poolmgr. Kept sandboxes are given back when poolmgr recalls them, when the moment is over, and when a request takes long.
 *
 * Nothing runs before a sandbox was granted, so the question may be repeated while poolmgr restarts (run/link.h).
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
#include "output/loaded.h"
#include "output/mask.h"
#include "run/meter.h"
#include "run/slow_timer.h"

#define LEASE_KEEP_US      100000
#define LEASE_KEPT_MAX     IPC_KEPT_MAX
#define LEASE_FUNCTION_MAX 64 /* sandboxes of functions with longer names are not kept */

struct lease_client;

/* Does not connect yet. slow_timer is borrowed and may be NULL. keeps: whether it may keep sandboxes. */
struct lease_client *lease_client_new(const char *run_dir, struct slow_timer *slow_timer, bool keeps);

/* Destructor for AUTO; accepts NULL. Gives kept sandboxes back. */
void lease_client_free(struct lease_client **client);

/*
 * The connection of the client whose request is being served, -1 for none; borrowed. If the client closes it while its request
 * waits for a sandbox, the request leaves its queue.
 */
void lease_set_asker(struct lease_client *client, int fd);

/* The invocation that a sandbox ran last, to which what it prints afterwards belongs. */
struct last {
	struct uuid id;          /* all zeros: there was none */
	int64_t requested_at_us; /* wall clock */
	uint32_t room;           /* how many bytes may still be added to its log */
};

/* A sandbox that belongs to the worker until lease_release; a worker uses at most one at a time. Initialise with LEASE_NONE. */
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
	bool single_use;   /* it must be given back after one invocation */
	uint32_t usual_us; /* how long an invocation usually takes; 0: not known */
	char runtime[32];
	struct mask *mask;        /* owned; finds the function's secrets in its output; NULL: it has none */
	struct buf init;          /* payload of the INIT that is still to be sent; empty: the agent has loaded the function */
	int control_fd;           /* -1: no lease */
	int log_fd, error_log_fd; /* for stdout and stderr */
	struct meter meter;       /* owns its descriptors */
	struct last last;
	char start_cause[128]; /* why it was started; "": a request needed one more. Of its first invocation only */
	struct loaded loaded;  /* owned; printed while the function was loaded ahead, for the first invocation */

	/* Needed to keep it. */
	char function[LEASE_FUNCTION_MAX + 1]; /* the function as the request named it; "": do not keep the sandbox */
	uint32_t asked_version;
	uint64_t generation; /* the connection over which it was granted; another one may lead to another poolmgr */
	int64_t since_us;    /* since when it is in use, or kept */
	bool is_trial;       /* from lease_check: its duration says nothing about invocations */
	uint32_t runs;
	int64_t busy_us;
};
#define LEASE_NONE ((struct lease){.control_fd = -1, .log_fd = -1, .error_log_fd = -1, .meter = METER_NONE})

/* Why there is no sandbox. */
struct denial {
	struct problem problem;
	bool withdrawn; /* the client has left, so nobody waits for the answer */
	bool known;     /* the function is known: the next two members are set */
	struct uuid function_id;
	uint32_t version;
};

/*
 * Gets a sandbox of a function, by id or name; version 0 is the current one. Returns -1 when there is none; *denial, which the
 * caller clears, says why. Returns at most a second after deadline_us.
 */
int lease_acquire(struct lease_client *client, const char *function, uint32_t version, const char *request_id,
		  int64_t deadline_us, struct lease *lease, struct denial *denial);

/*
 * Gets a sandbox to try a version that is not stored yet: spec is its JSON, archive its package. archive NULL: the package is
 * stored, because another version has the same one.
 */
int lease_check(struct lease_client *client, const char *spec, const void *archive, size_t archive_len, const char *request_id,
		int64_t deadline_us, struct lease *lease, struct denial *denial);

/*
 * Keeps the sandbox or gives it back; in either case it no longer belongs to the caller. destroy_reason 0: it may be used
 * again. If poolmgr cannot be told, the connection is dropped, which destroys the sandbox.
 */
void lease_release(struct lease_client *client, struct lease *lease, enum counter destroy_reason);

/* How the sandbox in use ended. */
struct finding {
	bool known;
	bool out_of_memory;
	uint32_t exit_code; /* 128 + the number of the signal that ended it */
};

/*
 * Asks poolmgr how the sandbox in use ended. Usually takes a millisecond; if everything in the sandbox was killed, it takes as
 * long as Docker does, at most some seconds.
 */
struct finding lease_postmortem(struct lease_client *client, const struct lease *lease);

bool lease_keeps_any(const struct lease_client *client);

/* Gives back all kept sandboxes, because something else takes long. */
void lease_give_back(struct lease_client *client);

/*
 * To be called between requests: gives back sandboxes that were kept long enough. Returns when to call again, INT64_MAX when
 * nothing is kept.
 */
int64_t lease_expire(struct lease_client *client, int64_t now_us);

/*
 * While a sandbox is in use or kept, poolmgr may recall it or end; lease_watch_fd is then readable. During an invocation call
 * lease_watch then and at lease_watch_due_us: it names the sandbox to the next poolmgr, so that the invocation can finish.
 * Between requests call lease_hear.
 */
int lease_watch_fd(const struct lease_client *client);              /* -1 while there is no connection */
uint64_t lease_watch_generation(const struct lease_client *client); /* changes with the descriptor */
int64_t lease_watch_due_us(const struct lease_client *client);      /* INT64_MAX: never */
void lease_watch(struct lease_client *client);                      /* never blocks */
void lease_hear(struct lease_client *client);                       /* never blocks */

/* Whether the sandbox in use was not recalled since it was granted. A kept sandbox that was recalled must not be used again. */
bool lease_is_ours(const struct lease_client *client);

/* Tells poolmgr that older versions may not run any more (version 0: no version at all), and waits for its confirmation. */
int lease_invalidate(struct lease_client *client, const struct uuid *function_id, uint32_t version, int64_t deadline_us,
		     struct err *err);

/* Gets poolmgr's numbers as JSON. */
int lease_stats(struct lease_client *client, bool whole, int64_t deadline_us, struct buf *json, struct err *err);

#endif
