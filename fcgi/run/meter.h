/*
 * What an invocation uses, read from the cgroup of its sandbox on the host: the function is not asked. The files are those of
 * ipc/cgroup_fds.h; a node may have none of them, and they go with the sandbox.
 *
 * Reading them is a good part of what a short invocation costs. So when one follows right after the other, what was read at the
 * end of the first is the start of the second. When it does not, what was used in between is known as well: a function may
 * leave something behind that works on. The latest reading goes with the sandbox from worker to worker (ipc_msg.def).
 */
#ifndef RUN_METER_H
#define RUN_METER_H

#include <stdbool.h>
#include <stdint.h>

/* An invocation that follows within that time does not look anew. What was used in between counts as its own. */
#define METER_GAP_US 1000

/* One for each sandbox in hand or kept. Initialise with METER_NONE, then set the descriptors, which belong to the owner. */
struct meter {
	int cpu_fd, memory_fd, oom_fd; /* -1: none */
	int64_t limit_bytes;           /* of the sandbox's memory */
	int64_t cpu_start_us, oom_start;
	int64_t cpu_read_us; /* the processor time of the sandbox at the end of its latest invocation; -1: not known */
	int64_t ended_us;    /* when that was, monotonic; 0: not in this worker */
	int64_t cpu_us, memory_bytes;
	int64_t background_us;
	bool restless; /* more than a little of that: it should not be kept for the next invocation */
};
#define METER_NONE ((struct meter){.cpu_fd = -1, .memory_fd = -1, .oom_fd = -1, .cpu_read_us = -1})

/* Everything from now on counts. background_us: what was used since the invocation before, apart from that; 0 when it is not
 * known.
 */
void meter_begin(struct meter *meter, int64_t now_us);

/*
 * Reads what was used since meter_begin. cpu_us: processor time of all processes in the sandbox; -1: not known. memory_bytes:
 * the most memory in use at one time; 0: not known. Where the kernel cannot begin anew (cgroup v2 before Linux 6.12), since the
 * sandbox's start: this invocation had no more; and where it keeps no such number at all (before 5.19), what is in use now:
 * this invocation had no less.
 */
void meter_read(struct meter *meter, int64_t now_us);

/* Has the kernel killed a process for a lack of memory since? False as well when the cgroup is gone already. */
bool meter_out_of_memory(const struct meter *meter);

#endif
