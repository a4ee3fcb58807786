/*
 * The files of a sandbox's cgroup, in the order in which messages carry them. The warden opens them, poolmgr and workers use
 * them.
 */
#ifndef IPC_CGROUP_FDS_H
#define IPC_CGROUP_FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cgroup_fd {
	CGROUP_FREEZER, /* write: v1 "FROZEN", "THAWED"; v2 "1", "0" */
	CGROUP_CPU,     /* read: processor time used; v1 nanoseconds, v2 "usage_usec N" and more lines */
	CGROUP_MEMORY,  /* read: peak memory in bytes; writing "0" resets it. Some kernels cannot: run/meter.h */
	CGROUP_OOM,     /* read: a line "oom_kill N" */
	CGROUP_KILL,    /* v1: cgroup.procs, for the warden; v2: write "1" */
	CGROUP_FD_COUNT
};

/* Reads the beginning of such a file as text; "" when that fails. */
void cgroup_read_text(int fd, char *text, size_t size);

/*
 * Parse the number at the start of text, or the number after a word at the start of a line. Without a number they return
 * otherwise.
 */
int64_t cgroup_number(const char *text, int64_t otherwise);
int64_t cgroup_number_after(const char *text, const char *word, int64_t otherwise);

/* Reads CGROUP_CPU of either cgroup version, in microseconds; -1 when that fails. */
int64_t cgroup_cpu_us(int fd);

/*
 * Whether a sandbox that waits for its next invocation used more than a little processor time. Work that an invocation leaves
 * unfinished for a moment counts as little, and so does gVisor's kernel, which uses a twentieth of a processor while it is not
 * frozen.
 */
bool cgroup_is_restless(int64_t cpu_us, int64_t elapsed_us);

#endif
