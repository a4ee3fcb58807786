/* The engine's own runtime, runc: a sandbox is a container on the host's kernel. */
#include "runtimes/driver.h"

extern const struct driver docker_driver;
const struct driver docker_driver = {
	.name = "docker",
	.engine_runtime = "runc",
	.egress_runtime = "berth-runc-egress",
	.missing = "Docker Engine has no runtime runc: reinstall the package docker.io",
	.least_memory_mb = 64,
	.pids_each = 1,
};
