/*
 * The warden may write root's files and kill any process, which is more than it needs. So before it receives its first message
 * it gives up everything else: the only files it can open from then on are those of cgroups, of /proc, and of containerd's
 * state (Landlock, where the kernel has it: https://docs.kernel.org/userspace-api/landlock.html), and it can neither make a
 * socket, nor a process, and can change files only by writing to those that it may open for writing (seccomp).
 */
#ifndef WARDEN_CONFINE_H
#define WARDEN_CONFINE_H

#include "base/err.h"
#include "warden/warden.h"

/* Irrevocable. containerd_dirs: separated by spaces; directories that do not exist are left out. */
int confine(const struct warden_mounts *mounts, const char *containerd_dirs, struct err *err);

#endif
