/*
 * A version of a function as poolmgr knows it: what to run, the sandboxes that run it, and the requests that wait for one.
 * References are held by the cache of names, which is bounded (poolmgr/catalog/resolve.h), by its sandboxes and by waiting
 * requests; it is freed with the last one.
 */
#ifndef POOLMGR_CATALOG_VERSION_H
#define POOLMGR_CATALOG_VERSION_H

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#include "base/uuid.h"
#include "ipc/spec.h"
#include "poolmgr/catalog/shape.h"

struct sandbox;
struct waiter;

/* Whether its package is unpacked on this node. */
enum version_package { PACKAGE_UNKNOWN, PACKAGE_COMING, PACKAGE_READY };

#define START_CAUSE_SIZE 128

struct version {
	char key[UUID_TEXT_SIZE + 12]; /* "<function id>/<version>" */
	struct spec *spec;
	struct uuid function_id;
	struct shape *shape;
	struct buf secrets; /* secrets of its environment, encoded as in GRANT (poolmgr/catalog/secrets.h) */
	enum version_package package;
	struct version *package_prev, *package_next; /* next version with the same package */
	size_t bytes;                                /* approximate memory of this struct and its members */
	int refs;
	bool stale; /* a newer version is current, or the function was deleted: its sandboxes are not kept */

	struct sandbox *idle;   /* state IDLE, most recently used first; linked by peer_prev, peer_next */
	struct sandbox *leased; /* state LEASED, linked the same way */
	int live;               /* sandboxes ASSIGNED, WARMING, LEASED or IDLE; at most spec->max_concurrency */
	int coming;             /* sandboxes ASSIGNED or WARMING: each will serve a waiting request */
	int64_t usual_us;       /* how long an invocation takes, moving average; 0: not known yet */
	int collisions;         /* recent requests that found every sandbox leased (poolmgr/pool/demand.h) */
	bool collided;          /* it has collisions and is on the list of such versions */
	struct version *collided_prev, *collided_next;

	char start_cause[START_CAUSE_SIZE]; /* of the next sandbox: how one has ended that it replaces, or "" */

	struct waiter *waiters; /* first come, first served */
	int waiting;            /* number of waiters; at most pool.queue_length */
	bool hungry;            /* it is in shape->hungry */
	struct version *hungry_prev, *hungry_next;

	int min_warm; /* its share while it is the current version (pool/min_warm.h); if not 0, it is in shape->kept */
	struct version *kept_prev, *kept_next;
	struct version *held_prev, *held_next;
	int min_warm_failures;      /* failures in a row to load its code for min_warm */
	int64_t min_warm_failed_us; /* the latest */
	int64_t min_warm_retry_us;
	char min_warm_problem[256]; /* reason of the latest failure; "": none */

	bool candidate;              /* a version that is being tried and, as far as is known here, not stored yet */
	struct version *prev, *next; /* candidates */
	UT_hash_handle hh;           /* versions */
};

/* All stored versions that this node has used, by key. */
extern struct version *versions;

/* Versions that are being tried before they are stored. Several may have the same key; at most one of them will be stored. */
extern struct version *candidates;

/*
 * Returns a new reference to the version that a stored spec describes. A known version is reused, because versions never
 * change; so is a candidate with an identical spec, together with its sandboxes. Steals spec in any case.
 */
int version_get_new(struct spec *spec, struct version **version, struct err *err);

/* Creates a candidate with one reference. Steals spec in any case. */
int version_candidate_new(struct spec *spec, struct version **version, struct err *err);

/*
 * Whether this package is about to be linked into a sandbox of any version. Otherwise it may be evicted and fetched again
 * later.
 */
bool version_needs_package(const char *sha256);

/* The package is no longer unpacked on this node. */
void version_package_gone(const char *sha256);

/* What GET /readyz shows of it: it is being tried, current, or replaced by a newer one. */
enum version_status { VERSION_TRIAL, VERSION_CURRENT, VERSION_SUPERSEDED, VERSION_STATUS_COUNT };

enum version_status version_status(const struct version *version);
const char *version_status_name(enum version_status status); /* "trial" */

/* Whether each invocation gets a sandbox of its own. */
bool version_is_single_use(const struct version *version);

struct version *version_ref(struct version *version);
void version_unref(struct version **version); /* destructor for AUTO; accepts NULL */

#endif
