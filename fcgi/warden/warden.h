/*
 * The warden's work, apart from its messages: finding a container's cgroup and opening its files, on cgroup v1 and v2
 * (https://docs.kernel.org/admin-guide/cgroup-v1/, https://docs.kernel.org/admin-guide/cgroup-v2.html). Its requests come from
 * a process without privileges, so everything is checked, and only cgroups that carry a container's id are ever touched.
 */
#ifndef WARDEN_WARDEN_H
#define WARDEN_WARDEN_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "ipc/cgroup_fds.h"

/* Where the hierarchies are mounted; read once. */
struct warden_mounts {
	char *freezer, *cpuacct, *memory; /* v1; NULL when not mounted */
	char *unified;                    /* v2; NULL when not mounted */
};

int warden_mounts_read(const char *mountinfo_path, struct warden_mounts *mounts, struct err *err);
void warden_mounts_clear(struct warden_mounts *mounts); /* destructor for AUTO */

/*
 * Opens the files of the cgroup of process pid, which must be that of the container (64 hexadecimal digits). The caller owns
 * fds. A file that this kernel does not have is replaced by the next best one or by /dev/null. *version is 1 or 2.
 */
int warden_open(const struct warden_mounts *mounts, const char *container, pid_t pid, int fds[CGROUP_FD_COUNT],
		uint8_t *version, struct err *err);

/* The same with the content of /proc/PID/cgroup as text, for tests. */
int warden_open_as(const struct warden_mounts *mounts, const char *container, const char *membership, int fds[CGROUP_FD_COUNT],
		   uint8_t *version, struct err *err);

/*
 * Kills every process in the cgroup (v1) with these cgroup.procs and freezer.state files, and thaws it, so that they die. The
 * cgroup must be frozen; otherwise the pid of a process that ended could already belong to a new one. Returns the number of
 * processes, or -1 when these are not such files.
 */
int warden_kill(int procs_fd, int freezer_fd, struct err *err);

#endif
