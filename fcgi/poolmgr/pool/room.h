/*
 * The room there is for sandboxes: pool.max_sandboxes of them, and pool.memory_budget_mb for their memory limits together,
 * neither of which is ever exceeded by starting one. Where it is short, what has been idle the longest goes, then spares
 * nobody waits for; and for a request, when all else is busy, what a min_warm keeps.
 */
#ifndef POOLMGR_POOL_ROOM_H
#define POOLMGR_POOL_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

struct shape;

void room_set_conf(const struct conf *conf);
int64_t room_budget_mb(void);

/* May one more of this shape be started now? */
bool room_for(const struct shape *shape);

/*
 * Makes room for count more of this shape, as far as that goes; it is there once what dies is gone. for_requests: somebody
 * waits for it.
 */
void room_make(const struct shape *shape, int count, bool for_requests);

/* Ends what is more than there is room for, as after a reload. */
void room_enforce(void);

/* Ends what has been idle for its time, and what is too much; called every tick. */
void room_tick(int64_t now_us);

#endif
