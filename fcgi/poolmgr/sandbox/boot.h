/*
 * Starts a sandbox: its directory is created, Docker creates and starts its container, the launcher in it connects to the
 * sockets, the agent sends HELLO (runtimes/protocol.md), and the warden finds its cgroup. Then the sandbox is SPARE.
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

/* Starts a new sandbox. Errors on the host are reported as a failed start (struct sandbox_hooks). */
void boot_start(struct shape *shape);

/* Ends boots that take too long; called every tick. */
void boot_tick(int64_t now_us);

#endif
