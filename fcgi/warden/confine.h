/*
 * The warden may write files of root's and kill any process, which is more than it needs. So before it hears of anybody it
 * gives up all else: the only files it can open from then on are those of cgroups, of /proc, and of containerd's state
 * (Landlock, where the kernel has it: https://docs.kernel.org/userspace-api/landlock.html), and it can neither make a socket,
 * nor a process, nor change a file other than by writing to one that it may open for that (seccomp).
 */
#ifndef WARDEN_CONFINE_H
#define WARDEN_CONFINE_H

#include "base/err.h"
#include "warden/warden.h"

/* containerd_dirs: with spaces between; those that are not there are left out. For good. */
int confine(const struct warden_mounts *mounts, const char *containerd_dirs, struct err *err);

#endif
