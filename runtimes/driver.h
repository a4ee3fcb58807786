/*
 * A driver describes how a runtime differs from others; there is one for each `runtime` that a function can name. Docker Engine
 * (runtimes/engine) runs all of them, by the name under which it has registered each. To add a runtime: a folder with its
 * driver, and a row in driver.c.
 */
#ifndef RUNTIMES_DRIVER_H
#define RUNTIMES_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct driver {
	const char *name;           /* the name in a function's settings */
	const char *engine_runtime; /* the name in Docker Engine: HostConfig.Runtime */
	const char
		*egress_runtime; /* the same runtime as registered by scripts/egress, which connects a sandbox to the network */
	const char *missing;     /* what to do when the engine does not offer it */
	bool hangs_without_memory; /* the kernel may OOM-kill a part memory that a sandbox needs itself while the rest waits for
				      it */
	bool ignores_nr_inodes;    /* its own tmpfs does not limit the number of files, so /tmp is a tmpfs of the host */
	int64_t least_memory_mb;   /* of a function */
	int64_t own_memory_mb;     /* what a sandbox needs itself, beside the limit of its function */
	int64_t own_pids;          /* threads on the host that a sandbox needs itself, */
	int64_t pids_each;         /* and for each thread of the function */
};

extern const struct driver *const drivers[];
extern const size_t driver_count;

/* Returns NULL when there is no runtime of that name. */
const struct driver *driver_find(const char *name);

#endif
