/*
 * What Docker has against what poolmgr knows: a container nobody knows is removed, a sandbox without its container is dead.
 * Runs whenever Docker Engine comes up and every now and then.
 *
 * After a start of poolmgr, containers of its predecessor may still run invocations: workers get a moment to name theirs
 * (HELLO), and those stay until they are released.
 */
#ifndef POOLMGR_RECONCILE_H
#define POOLMGR_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/docker.h"

void reconcile_init(struct docker *docker);
void reconcile_now(void);
void reconcile_tick(int64_t now_us);

/* The end: looks once more, and removes what an earlier poolmgr left even if it was not time for that yet. */
void reconcile_stop(void);
bool reconcile_is_over(void);

#endif
