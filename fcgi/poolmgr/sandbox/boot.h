/*
 * How a sandbox comes up: its directory is made, Docker makes and starts its container, the launcher in there connects to its
 * sockets, the agent says HELLO (runtimes/protocol.md), the warden finds its cgroup. Then it is SPARE.
 */
#ifndef POOLMGR_SANDBOX_BOOT_H
#define POOLMGR_SANDBOX_BOOT_H

#include <stdint.h>
#include <uv.h>

#include "conf/conf.h"
#include "engine/docker.h"
#include "poolmgr/catalog/shape.h"

void boot_init(uv_loop_t *loop, const struct conf *conf, struct docker *docker);
void boot_set_conf(const struct conf *conf);

/* Starts a new one. What can go wrong on the host is told as the start's failure (struct sandbox_hooks). */
void boot_start(struct shape *shape);

/* Ends boots that take too long; called every tick. */
void boot_tick(int64_t now_us);

#endif
