/* Says what prevents the start of a sandbox, and when a denied request should be repeated. */
#ifndef POOLMGR_POOL_OBSTACLE_H
#define POOLMGR_POOL_OBSTACLE_H

#include <stdint.h>

#include "engine/docker.h"

struct shape;
struct version;

void obstacle_init(struct docker *docker);

/* Why a runtime's sandboxes cannot have network "egress"; NULL: they can. Valid until the next call. */
const char *obstacle_to_egress(const struct driver *driver);

/* Why no sandbox of the shape can be started until someone intervenes; NULL: nothing prevents it. Valid until the next call. */
const char *obstacle_lasting(const struct shape *shape);

/* The same, including reasons that may pass by themselves: the engine is unavailable, starts fail. */
const char *obstacle_any(const struct shape *shape);

/*
 * Estimates when a request for this version would be served, from the obstacles, the duration of a start, the number of waiting
 * requests and of sandboxes, and the duration of an invocation. NULL: the version is not known.
 */
int64_t obstacle_retry_after_ms(const struct version *version);

#endif
