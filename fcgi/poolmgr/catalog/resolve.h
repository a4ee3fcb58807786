/*
 * Finds the version that a request names by function name or id and version number: a cache over PostgreSQL, invalidated by the
 * workers' INVALIDATE and by NOTIFY. Concurrent requests for the same version share one lookup. The cache is bounded: the least
 * recently used names are forgotten, and with them versions that have neither sandboxes nor requests.
 */
#ifndef POOLMGR_CATALOG_RESOLVE_H
#define POOLMGR_CATALOG_RESOLVE_H

#include <stdint.h>

#include "base/err.h"
#include "poolmgr/catalog/version.h"

/* err NULL: version is borrowed; NULL when there is no such version. */
typedef void (*resolve_fn)(const struct err *err, struct version *version, void *arg);

/* number 0: the current version. done is called exactly once: at once when the answer is cached, otherwise from the loop. */
void resolve(const char *ref, uint32_t number, resolve_fn done, void *arg);

/*
 * Forgets the names of a function unless they lead to this version, which is now current, marks its older versions stale, and
 * calls stale for each. version 0: the function was deleted. Lookups under way are repeated.
 */
void resolve_invalidate(const char *function_id, int64_t version, void (*stale)(struct version *version));

/* Forgets every name, so that each is looked up again when it is needed. Versions and their sandboxes stay. */
void resolve_forget_all(void);

#endif
