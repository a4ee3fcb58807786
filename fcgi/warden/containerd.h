/*
 * Ends the shim (containerd-shim-runc-v2) of a sandbox's container and the processes of the container. The warden verifies from
 * the process itself and from containerd's own files (the container's bundle with its OCI configuration) that it is such a
 * shim, and does not believe the caller: https://github.com/containerd/containerd/blob/main/core/runtime/v2/README.md,
 * https://github.com/opencontainers/runtime-spec/blob/main/config.md.
 */
#ifndef WARDEN_CONTAINERD_H
#define WARDEN_CONTAINERD_H

#include <sys/types.h>

#include "base/err.h"
#include "warden/warden.h"

/*
 * Kills process pid if it is the shim of the container, runs as root or as the user of this process, and the container has
 * something below directory mounted at /berth; returns 0. Otherwise -1 with err, and nothing is killed.
 */
int containerd_end_shim(const struct warden_mounts *mounts, const char *container, pid_t pid, const char *directory,
			struct err *err);

#endif
