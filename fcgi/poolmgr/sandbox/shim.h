/*
 * Shims: containerd keeps one process (containerd-shim) for each container, which is to end with it. When Docker Engine or
 * containerd breaks off while a container starts or ends, it may stay for good, perhaps with the sandbox in it, and Docker
 * knows nothing of the container any more. Here they are found: what runs, against what Docker has. The warden, which may do
 * both, looks whether a shim is that of a sandbox of ours, and ends it; containerd then clears away what belonged to it.
 *
 * A container may leave Docker's list a moment before its shim ends, so a shim has to be missing there twice, some time apart.
 */
#ifndef POOLMGR_SANDBOX_SHIM_H
#define POOLMGR_SANDBOX_SHIM_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "conf/conf.h"

#define SHIM_SUSPICION_US 2000000

void shim_init(uv_loop_t *loop, const struct conf *conf);
void shim_set_conf(const struct conf *conf);

/* Looks for shims, in a thread. One at a time. */
void shim_search(void);

/*
 * What Docker lists, container by container (full ids); then shim_judge with the time when the list was asked for: shims found
 * before and missing are suspected, or ended when they have been for SHIM_SUSPICION_US. True: there is a new suspect, so
 * another list is worth it then.
 */
void shim_listed(const char *container_id);
bool shim_judge(int64_t asked_us);

#endif
