/* gVisor: a sandbox has its own kernel in user space, which uses only a few system calls of the host's kernel. */
#include "runtimes/driver.h"

extern const struct driver gvisor_driver;
const struct driver gvisor_driver = {
	.name = "gvisor",
	.engine_runtime = "berth-runsc", /* registered by scripts/gvisor */
	.egress_runtime = "berth-runsc-egress",
	.missing = "gVisor is not installed, or not known to Docker Engine: run scripts/gvisor on this node",
	.hangs_without_memory = true,
	.ignores_nr_inodes = true,
	.least_memory_mb = 64,
	.own_memory_mb = 16, /* of gVisor's kernel */
	/* An idle sandbox has some forty threads. gVisor's kernel enforces the function's own limit (RLIMIT_NPROC). */
	.own_pids = 64,
	.pids_each = 4,
};
