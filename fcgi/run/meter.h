/*
 * Measures what an invocation uses, from the cgroup of its sandbox on the host; the function is not asked. The files are those
 * of ipc/cgroup_fds.h; a node may have none of them, and they end with the sandbox.
 *
 * Reading them is a considerable part of the cost of a short invocation. So when one invocation follows right after another,
 * the reading at the end of the first is also the start of the second. Otherwise a new reading also shows what was used in
 * between, by processes that the function left behind. The latest reading travels with the sandbox from worker to worker
 * (ipc_msg.def).
 */
#ifndef RUN_METER_H
#define RUN_METER_H

#include <stdbool.h>
#include <stdint.h>

/* An invocation that follows within this time takes no new reading. What was used in between counts as its own. */
#define METER_GAP_US 1000

/* One for each sandbox in use or kept. Initialise with METER_NONE, then set the descriptors, which belong to the owner. */
struct meter {
	int cpu_fd, memory_fd, oom_fd; /* -1: none */
	int64_t limit_bytes;           /* of the function's memory */
	int64_t cpu_start_us, oom_start;
	int64_t cpu_read_us; /* processor time of the sandbox at the end of its latest invocation; -1: not known */
	int64_t ended_us;    /* time of that reading, monotonic; 0: it was not in this worker */
	int64_t cpu_us, memory_bytes;
	int64_t background_us;
	bool restless; /* it used more than a little between invocations: it should not be kept for the next one */
};
#define METER_NONE ((struct meter){.cpu_fd = -1, .memory_fd = -1, .oom_fd = -1, .limit_bytes = INT64_MAX, .cpu_read_us = -1})

/*
 * Begins a measurement. background_us: processor time used since the previous invocation, which does not count; 0 when it is
 * not known.
 */
void meter_begin(struct meter *meter, int64_t now_us);

/*
 * Reads what was used since meter_begin. cpu_us: processor time of all processes in the sandbox; -1: not known. memory_bytes:
 * peak memory; 0: not known. Where the kernel cannot reset the peak (cgroup v2 before Linux 6.12), it is the peak since the
 * sandbox's start, so this invocation used no more; where the kernel has no peak at all (before 5.19), it is the memory in use
 * now, so this invocation used no less. What goes beyond the function's limit is the sandbox's own, and is left out.
 */
void meter_read(struct meter *meter, int64_t now_us);

/* Whether the kernel has OOM-killed a process since meter_begin. Also false when the cgroup is gone already. */
bool meter_out_of_memory(const struct meter *meter);

#endif
