/*
 * Compares containers and directories with poolmgr's sandboxes: unknown containers and directories are removed, and a sandbox
 * whose container is gone or does not run, or whose directory is gone, is killed. Runs whenever Docker Engine comes up and
 * every pool.reconcile_interval_ms. Differences are counted (drift in counter.def) and logged in one line.
 *
 * After a start of poolmgr, containers of its predecessor may still run invocations. Workers get a moment to name them (HELLO),
 * and these stay until they are released.
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

/*
 * To be called at the end: looks once more, and removes what an earlier poolmgr left, even if it was too early for that before.
 */
void reconcile_stop(void);
bool reconcile_is_over(void);

#endif
