/*
 * min_warm: functions that are to have sandboxes ready, requests or not. Which ones is asked of PostgreSQL, whenever the answer
 * may have changed; of each the current version is kept: version->keep sandboxes, busy ones included, are live at all times.
 * What is lacking is assigned a spare and loads its code there. A version whose code does not load is tried again with growing
 * pauses.
 *
 * All of them together are kept pool.min_warm_percent of the node at most, whatever is stored: those with the lowest ids what
 * they are to have, the others what is left. Requests come first all the same: when all else is busy, kept ones go, too
 * (room.h).
 */
#ifndef POOLMGR_POOL_KEEP_H
#define POOLMGR_POOL_KEEP_H

#include <jansson.h>
#include <stdint.h>

#include "conf/conf.h"

struct sandbox;
struct version;

void keep_set_conf(const struct conf *conf);

/* Which functions are kept, or which version of one is current, may have changed. */
void keep_refresh(void);

/* What was done for the sake of keeping this version has failed. Nothing happens when it is not kept. */
void keep_failed(struct version *version, const char *why);

/* A sandbox has loaded its version, or not: warmup_fn (poolmgr/sandbox/warmup.h). */
void keep_on_warm(struct sandbox *sandbox, const char *why);

/* One that was IDLE has ended. */
void keep_on_dead(struct sandbox *sandbox);

/* Assigns spares nobody waits for; what is missing beyond that is supply.h's. Called every tick. */
void keep_tick(int64_t now_us);

/* How many functions and sandboxes, and what is wrong; a new reference, of bounded size. */
json_t *keep_json(void);

#endif
