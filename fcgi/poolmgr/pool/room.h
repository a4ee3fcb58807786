/*
 * The room for sandboxes: pool.max_sandboxes, and pool.memory_budget_mb for the sum of their memory (shape_memory_mb); no start
 * ever exceeds either. When room is short, the sandboxes that have been idle longest are evicted, then spares that no request
 * waits for, and for a request, if everything else is busy, sandboxes kept by min_warm.
 */
#ifndef POOLMGR_POOL_ROOM_H
#define POOLMGR_POOL_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

struct shape;

void room_set_conf(const struct conf *conf);
int64_t room_budget_mb(void);

/* Whether one more sandbox of this shape may be started now. */
bool room_for(const struct shape *shape);

/*
 * Evicts sandboxes to make room for up to count more of this shape; the room is available when they are gone. for_requests:
 * requests wait for it.
 */
void room_make(const struct shape *shape, int count, bool for_requests);

/* Ends sandboxes that exceed the room, after a reload for instance. */
void room_enforce(void);

/* Ends sandboxes that have been idle for too long and those that exceed the room; called every tick. */
void room_tick(int64_t now_us);

#endif
