/* The files of a sandbox's cgroup, in the order they travel: opened by the warden, used by poolmgr and workers. */
#ifndef IPC_CGROUP_FDS_H
#define IPC_CGROUP_FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cgroup_fd {
	CGROUP_FREEZER, /* write: v1 "FROZEN", "THAWED"; v2 "1", "0" */
	CGROUP_CPU,     /* read: processor time used; v1 nanoseconds, v2 "usage_usec N" and more lines */
	CGROUP_MEMORY,  /* read: the most memory used, bytes; write "0": from now on. Some kernels only know less: run/meter.h
			 */
	CGROUP_OOM,     /* read: a line "oom_kill N" */
	CGROUP_KILL,    /* v1: cgroup.procs, for the warden; v2: write "1" */
	CGROUP_FD_COUNT
};

/* The start of such a file, as text; "" when there is none. */
void cgroup_read_text(int fd, char *text, size_t size);

/* A number at the start of text, and one behind a word at the start of a line; otherwise when there is none. */
int64_t cgroup_number(const char *text, int64_t otherwise);
int64_t cgroup_number_after(const char *text, const char *word, int64_t otherwise);

/* What CGROUP_CPU says, whatever the version; -1: nothing. */
int64_t cgroup_cpu_us(int fd);

/*
 * Did a sandbox that waits for its next invocation use more than a little of the processor? The rest of what an invocation set
 * off, and gVisor's kernel, which takes a twentieth of a processor as long as it is not frozen, are a little.
 */
bool cgroup_is_restless(int64_t cpu_us, int64_t elapsed_us);

#endif
