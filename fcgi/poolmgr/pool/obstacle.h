/* What stands in the way of starting a sandbox, and when a request that was denied may come again. */
#ifndef POOLMGR_POOL_OBSTACLE_H
#define POOLMGR_POOL_OBSTACLE_H

#include <stdint.h>

#include "engine/docker.h"

struct shape;
struct version;

void obstacle_init(struct docker *docker);

/* What keeps a runtime's sandboxes from having network "egress"; NULL: nothing. Valid as below. */
const char *obstacle_to_egress(const struct driver *driver);

/* What keeps all sandboxes of the shape from being started until somebody does something about it; NULL: nothing. Valid until
 * the next call. */
const char *obstacle_lasting(const struct shape *shape);

/* The same, or what may pass by itself: the engine is away, starts fail. */
const char *obstacle_any(const struct shape *shape);

/*
 * When a request for this version is likely to be served, going by what is known: what stands in the way, how long a start
 * takes, how many wait for how many sandboxes, how long an invocation takes. NULL: which version it is is not known.
 */
int64_t obstacle_retry_after_ms(const struct version *version);

#endif
