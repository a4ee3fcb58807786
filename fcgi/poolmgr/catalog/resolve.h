/*
 * From what a request says ("hello", an id, a version number) to a version: a cache over PostgreSQL, kept right by the workers'
 * INVALIDATE and by NOTIFY. Lookups of the same thing are made once for all who wait. It is bounded: what was asked for longest
 * ago is forgotten, and with it a version that has neither sandboxes nor requests.
 */
#ifndef POOLMGR_CATALOG_RESOLVE_H
#define POOLMGR_CATALOG_RESOLVE_H

#include <stdint.h>

#include "base/err.h"
#include "poolmgr/catalog/version.h"

/* err NULL: version is borrowed, NULL when there is none of that name. */
typedef void (*resolve_fn)(const struct err *err, struct version *version, void *arg);

/* number 0: the current version. done is called at once when the answer is cached, else from the loop; exactly once. */
void resolve(const char *ref, uint32_t number, resolve_fn done, void *arg);

/*
 * Forgets what is known of a function unless its current version is this one, and marks its older versions stale (calls stale
 * for each). version 0: it was deleted. Lookups under way are made again.
 */
void resolve_invalidate(const char *function_id, int64_t version, void (*stale)(struct version *version));

/* Forgets every name: each is looked up again when next asked for. Versions and their sandboxes stay. */
void resolve_forget_all(void);

#endif
