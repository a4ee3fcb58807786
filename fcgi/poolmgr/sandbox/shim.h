/*
 * Finds shims without a container. containerd keeps one process (containerd-shim) for each container, which should end with it.
 * If Docker Engine or containerd breaks off while a container starts or ends, the shim may stay for good, perhaps with the
 * sandbox's processes, while Docker no longer knows the container. Running shims are compared with Docker's containers here.
 * The warden checks whether a shim belongs to a sandbox of ours and ends it; containerd then cleans up after it.
 *
 * A container may leave Docker's list a moment before its shim ends, so a container must be missing from two lists, some time
 * apart.
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

/* Looks for shims in a thread; only one search at a time. */
void shim_search(void);

/*
 * To be called for each container in Docker's list (full ids), and then shim_judge with the time when the list was requested.
 * Shims that were found before and are missing from the list become suspects; those that have been suspects for
 * SHIM_SUSPICION_US are ended. Returns true when there is a new suspect, so that another list is needed.
 */
void shim_listed(const char *container_id);
bool shim_judge(int64_t asked_us);

#endif
