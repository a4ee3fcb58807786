/*
 * What there is against what poolmgr knows: a container or a directory nobody knows is removed, a sandbox whose container is
 * gone or does not run, or whose directory is gone, is dead. Runs whenever Docker Engine comes up and every
 * pool.reconcile_interval_ms. What it finds is counted (drift in counter.def) and put into one line of the log.
 *
 * After a start of poolmgr, containers of its predecessor may still run invocations: workers get a moment to name theirs
 * (HELLO), and those stay until they are released.
 */
#ifndef POOLMGR_RECONCILE_H
#define POOLMGR_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "engine/docker.h"

void reconcile_init(const struct conf *conf, struct docker *docker);
void reconcile_set_conf(const struct conf *conf);
void reconcile_now(void);
void reconcile_tick(int64_t now_us);

/* The end: looks once more, and removes what an earlier poolmgr left even if it was not time for that yet. */
void reconcile_stop(void);
bool reconcile_is_over(void);

#endif
