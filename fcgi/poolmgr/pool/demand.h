/* Decides how many sandboxes waiting requests and min_warm need; serve.h and supply.h provide them. */
#ifndef POOLMGR_POOL_DEMAND_H
#define POOLMGR_POOL_DEMAND_H

#include <stdint.h>

#include "conf/conf.h"

struct shape;
struct version;

void demand_set_conf(const struct conf *conf);

/* Notes that a request found all sandboxes of the version leased. The count decays by half every tick. */
void demand_note_collision(struct version *version);
void demand_tick(void);

/* The number of spares that the version's queue justifies. */
int demand_for_spares(const struct version *version);

/* The number of sandboxes missing for its min_warm, for which busy ones count. */
int demand_kept(const struct version *version, int64_t now_us);

/* The number of sandboxes of a shape that should be ready or starting: for waiting requests, and additionally for min_warm. */
int demand_waiting(const struct shape *shape);
int demand_kept_of(const struct shape *shape, int64_t now_us);

#endif
