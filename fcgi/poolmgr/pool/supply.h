/*
 * Starts sandboxes, as far as there is room (room.h) and pool.max_starts allows: first for waiting requests, then for min_warm,
 * then the spares that each shape should have.
 */
#ifndef POOLMGR_POOL_SUPPLY_H
#define POOLMGR_POOL_SUPPLY_H

#include <stdint.h>

#include "conf/conf.h"
#include "engine/docker.h"

struct version;

void supply_init(struct docker *docker);
void supply_set_conf(const struct conf *conf);

/* Starts the sandboxes that waiting requests need. */
void supply_now(void);

/* Starts all sandboxes that are needed, and ends superfluous spares; called every tick. */
void supply_tick(int64_t now_us);

/* Denies the waiting requests of a version when no sandbox runs it and none can be started. */
void supply_deny_if_hopeless(struct version *version);
void supply_deny_hopeless(void); /* the same for all versions */

/* Stops all further starts. */
void supply_stop(void);

#endif
