/*
 * PostgreSQL for poolmgr: one asynchronous connection on the loop that looks up versions, fetches packages and listens for
 * changes (LISTEN). Nothing is written. The connection is a db/db_async.h, which connects and reconnects by itself; this file
 * has poolmgr's statements and does the waiting with libuv.
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
	/* The function's current version is now this one; 0: the function was deleted. */
	void (*changed)(const char *function_id, int64_t version);
	/* Connected, for the first time or again: changes may have been missed. */
	void (*connected)(void);
};

/*
 * Called exactly once, never from within the call it was passed to. err NULL: data is the result, borrowed, or NULL when there
 * is none. err->code ENOTCONN: PostgreSQL cannot be reached, or answers with an error.
 */
typedef void (*store_fn)(const struct err *err, const char *data, size_t len, void *arg);

/* Called in the same way. spec is owned by the receiver (spec_free); NULL: there is no such version. */
typedef void (*store_spec_fn)(const struct err *err, struct spec *spec, void *arg);

void store_init(uv_loop_t *loop, const struct conf *conf, const struct store_hooks *hooks);
void store_set_conf(const struct conf *conf);

/* Looks up a version of a function, by the function's id or name; version 0: the current one. */
void store_lookup(const char *ref, uint32_t version, store_spec_fn done, void *arg);

/* The archive of a package. */
void store_package(const char *sha256, store_fn done, void *arg);

/* The ids (struct uuid, one after the other) of the functions whose current version has min_warm > 0; NULL: there are none. */
void store_kept(store_fn done, void *arg);

bool store_is_up(void);
int64_t store_retry_ms(void);    /* the pause before the next try to connect */
const char *store_problem(void); /* why it is not connected; "" when it is */

#endif
