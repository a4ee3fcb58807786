/*
 * Freezes sandboxes that have waited for work for a while, so that they use no processor time; they are thawed for a moment at
 * intervals. A sandbox whose function works between invocations is frozen as soon as this is noticed, and from then on as soon
 * as it is idle.
 */
#ifndef POOLMGR_SANDBOX_FREEZER_H
#define POOLMGR_SANDBOX_FREEZER_H

#include <stdint.h>

#include "conf/conf.h"
#include "engine/docker.h"

void freezer_init(const struct conf *conf, struct docker *docker);
void freezer_set_conf(const struct conf *conf);
void freezer_tick(int64_t now_us);

struct sandbox;
void freezer_freeze(struct sandbox *sandbox);

#endif
