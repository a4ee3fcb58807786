/* gVisor: a sandbox has a kernel of its own, in user space, and reaches the host's by few system calls only. */
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
	/* An idle one has some forty. The function's own limit is kept by gVisor's kernel (RLIMIT_NPROC). */
	.own_pids = 64,
	.pids_each = 4,
};
