/*
 * PostgreSQL for poolmgr: one asynchronous connection on the loop, for looking up versions and fetching packages, and for
 * hearing of changes (LISTEN). It connects by itself, again and again with growing pauses. Nothing is written. Connections,
 * statements and the words for what goes wrong are those of db/; only waiting is not, since the loop does it.
 */
#ifndef POOLMGR_CATALOG_STORE_H
#define POOLMGR_CATALOG_STORE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "conf/conf.h"
#include "ipc/spec.h"

struct store_hooks {
	/* A function's current version is now this one; 0: it was deleted. */
	void (*changed)(const char *function_id, int64_t version);
	/* Connected, for the first time or again: changes may have been missed. */
	void (*connected)(void);
};

/*
 * Called exactly once, never from within the call that got it. err NULL: data is what was asked for (NULL when there is none),
 * borrowed. err->code ENOTCONN: PostgreSQL cannot be reached, or answers with an error.
 */
typedef void (*store_fn)(const struct err *err, const char *data, size_t len, void *arg);

/* Likewise. spec (NULL when there is none) is the receiver's: spec_free. */
typedef void (*store_spec_fn)(const struct err *err, struct spec *spec, void *arg);

void store_init(uv_loop_t *loop, const struct conf *conf, const struct store_hooks *hooks);
void store_set_conf(const struct conf *conf);

/* A version of a function, by its id or name; version 0: the current one. */
void store_lookup(const char *ref, uint32_t version, store_spec_fn done, void *arg);

/* The archive of a package. */
void store_package(const char *sha256, store_fn done, void *arg);

/* The ids (JSON array of strings) of the functions whose current version has min_warm > 0; NULL when there are none. */
void store_kept(store_fn done, void *arg);

bool store_is_up(void);
int64_t store_retry_ms(void);    /* the pause before the next try to connect */
const char *store_problem(void); /* why it is not; "" when it is */

#endif
