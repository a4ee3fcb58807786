/*
 * min_warm: functions that have sandboxes ready even without requests. PostgreSQL is asked which functions these are whenever
 * that may have changed. For the current version of each, version->min_warm sandboxes, including busy ones, are live at all
 * times. For each missing one a spare is assigned and loads the code. A version whose code does not load is tried again with
 * growing pauses.
 *
 * All functions together keep at most pool.min_warm_percent of the node, whatever is stored: functions with the lowest ids get
 * their full number, the others the rest. Requests have priority: if everything else is busy, kept sandboxes are evicted, too
 * (room.h).
 */
#ifndef POOLMGR_POOL_MIN_WARM_H
#define POOLMGR_POOL_MIN_WARM_H

#include <jansson.h>
#include <stdint.h>

#include "conf/conf.h"

struct sandbox;
struct version;

void min_warm_set_conf(const struct conf *conf);

/* To be called when the functions to keep, or the current version of one, may have changed. */
void min_warm_refresh(void);

/* To be called when a step to keep this version warm has failed. Does nothing when the version is not kept. */
void min_warm_failed(struct version *version, const char *why);

/* The warmup_fn of poolmgr/sandbox/warmup.h: a sandbox has loaded its version, or failed to. */
void min_warm_on_warm(struct sandbox *sandbox, const char *why);

/* To be called when a sandbox that was IDLE has ended. */
void min_warm_on_dead(struct sandbox *sandbox);

/* Assigns spares that no request waits for; supply.h starts the sandboxes that are still missing. Called every tick. */
void min_warm_tick(int64_t now_us);

/* The number of functions and sandboxes, and the problems; a new reference, of bounded size. */
json_t *min_warm_json(void);

#endif
