/*
 * A version of a function as poolmgr knows it: what to run, which sandboxes run it, who waits for one. Referenced by the cache
 * of names, which is bounded (poolmgr/catalog/resolve.h), by its sandboxes and by whoever waits; gone with the last reference.
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

/* Is its package unpacked on this node? */
enum version_package { PACKAGE_UNKNOWN, PACKAGE_COMING, PACKAGE_READY };

struct version {
	char key[UUID_TEXT_SIZE + 12]; /* "<function id>/<version>" */
	struct spec *spec;
	struct uuid function_id;
	struct shape *shape;
	char *init;         /* payload of the INIT frame */
	struct buf secrets; /* of its environment, as GRANT has them (poolmgr/catalog/secrets.h) */
	enum version_package package;
	struct version *package_prev, *package_next; /* others with the same package */
	size_t bytes;                                /* of memory, or so */
	int refs;
	bool stale; /* a newer version is current, or the function is gone: its sandboxes are not kept */

	struct sandbox *idle;   /* state IDLE, the one used last in front; linked by peer_prev, peer_next */
	struct sandbox *leased; /* state LEASED, linked the same way */
	int live;               /* sandboxes ASSIGNED, WARMING, LEASED or IDLE; at most spec->max_concurrency */
	int coming;             /* sandboxes ASSIGNED or WARMING: each will serve one of the waiting */
	int64_t usual_us;       /* how long an invocation takes, moving average; 0: not known yet */
	int collisions;         /* requests that found every sandbox leased, of late (poolmgr/pool/demand.h) */
	bool collided;          /* it has any, and is on the list of those */
	struct version *collided_prev, *collided_next;

	struct waiter *waiters; /* first come, first served */
	int waiting;            /* how many; at most pool.queue_length */
	bool hungry;            /* is in shape->hungry */
	struct version *hungry_prev, *hungry_next;

	int keep; /* its min_warm while it is the current version; then it is in shape->kept (poolmgr/pool/keep.h) */
	struct version *kept_prev, *kept_next;
	struct version *held_prev, *held_next;
	int keep_failures;      /* in a row, of loading it for that */
	int64_t keep_failed_us; /* the latest */
	int64_t keep_retry_us;
	char keep_problem[256]; /* "": none */

	bool candidate;              /* not stored yet, as far as is known here */
	struct version *prev, *next; /* candidates */
	UT_hash_handle hh;           /* versions */
};

/* All versions PostgreSQL has and this node has met, by key. */
extern struct version *versions;

/* Versions that are being tried before they are stored. Several may have the same key: only one of them will be stored. */
extern struct version *candidates;

/*
 * The version a stored spec describes, with one new reference. One that is known already is taken: a version never changes. So
 * is a candidate with the very same spec, along with its sandboxes. Steals spec in any case.
 */
int version_get_new(struct spec *spec, struct version **version, struct err *err);

/* A new candidate, with one reference. Steals spec in any case. */
int version_candidate_new(struct spec *spec, struct version **version, struct err *err);

/* Is any of them about to have this package linked into a sandbox? The others can have it fetched again. */
bool version_needs_package(const char *sha256);

/* It is not unpacked on this node any more. */
void version_package_gone(const char *sha256);

/* Does each invocation get a sandbox of its own? */
bool version_is_single_use(const struct version *version);

struct version *version_ref(struct version *version);
void version_unref(struct version **version); /* destructor for AUTO; accepts NULL */

#endif
