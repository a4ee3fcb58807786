/* How many sandboxes are needed: by who waits, and by min_warm. Decides only; what is done about it is serve.h and supply.h. */
#ifndef POOLMGR_POOL_DEMAND_H
#define POOLMGR_POOL_DEMAND_H

#include <stdint.h>

#include "conf/conf.h"

struct shape;
struct version;

void demand_set_conf(const struct conf *conf);

/* A request found all sandboxes of the version leased. That is forgotten soon: half of it every tick. */
void demand_note_collision(struct version *version);
void demand_tick(void);

/* How many spares the version's queue is worth. */
int demand_for_spares(const struct version *version);

/* How many sandboxes its min_warm lacks, which counts those that are busy. */
int demand_kept(const struct version *version, int64_t now_us);

/* How many sandboxes of a shape should be ready or starting: for who waits, and for min_warm beyond that. */
int demand_waiting(const struct shape *shape);
int demand_kept_of(const struct shape *shape, int64_t now_us);

#endif
