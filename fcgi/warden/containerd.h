/*
 * Ending the shim (containerd-shim-runc-v2) of a sandbox's container, and what runs in the container. That it is one is taken
 * from the process itself and from containerd's own files (the container's bundle with its OCI configuration), not from who
 * asks: https://github.com/containerd/containerd/blob/main/core/runtime/v2/README.md,
 * https://github.com/opencontainers/runtime-spec/blob/main/config.md.
 */
#ifndef WARDEN_CONTAINERD_H
#define WARDEN_CONTAINERD_H

#include <sys/types.h>

#include "base/err.h"
#include "warden/warden.h"

/*
 * 0: process pid, root's or of the user of this one, was the shim of the container, which has something below directory mounted
 * at /berth, and is killed. -1 with err: it was not, and nothing is killed.
 */
int containerd_end_shim(const struct warden_mounts *mounts, const char *container, pid_t pid, const char *directory,
			struct err *err);

#endif
