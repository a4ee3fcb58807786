/*
 * What an invocation uses, read from the cgroup of its sandbox on the host: the function is not asked. The files are those of
 * ipc/cgroup_fds.h; a node may have none of them, and they go with the sandbox.
 */
#ifndef WORKER_METER_H
#define WORKER_METER_H

#include <stdbool.h>
#include <stdint.h>

struct meter {
	int cpu_fd, memory_fd, oom_fd; /* borrowed; -1: none */
	int64_t cpu_start_us;
	int64_t oom_start;
};

/* Everything from now on counts. */
void meter_begin(struct meter *meter, int cpu_fd, int memory_fd, int oom_fd);

/* Processor time of all processes in the sandbox since meter_begin; -1: not known. */
int64_t meter_cpu_us(const struct meter *meter);

/*
 * The most memory in use at one time since meter_begin; 0: not known. Where the kernel cannot begin anew (cgroup v2 before
 * Linux 6.12), since the sandbox's start: this invocation had no more; and where it keeps no such number at all (before 5.19),
 * what is in use now: this invocation had no less.
 */
int64_t meter_memory_bytes(const struct meter *meter);

/* Has the kernel killed a process for a lack of memory since? False as well when the cgroup is gone already. */
bool meter_out_of_memory(const struct meter *meter);

#endif
