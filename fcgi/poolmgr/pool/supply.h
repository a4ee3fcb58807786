/*
 * Starting sandboxes: what who waits needs comes first, then what min_warm lacks, then the spares each shape should have; as
 * far as there is room (room.h) and pool.max_starts allows.
 */
#ifndef POOLMGR_POOL_SUPPLY_H
#define POOLMGR_POOL_SUPPLY_H

#include <stdint.h>

#include "conf/conf.h"
#include "engine/docker.h"

struct version;

void supply_init(struct docker *docker);
void supply_set_conf(const struct conf *conf);

/* Starts what who waits needs. */
void supply_now(void);

/* The rest as well, and ends spares nobody needs; called every tick. */
void supply_tick(int64_t now_us);

/* Waiting is of no use when nothing runs this version and nothing can be started: who does is told. */
void supply_deny_if_hopeless(struct version *version);
void supply_deny_hopeless(void); /* of all versions */

/* Nothing is started any more. */
void supply_stop(void);

#endif
