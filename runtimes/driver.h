/*
 * What tells the runtimes apart: one driver for each `runtime` a function can name. All are run by Docker Engine
 * (runtimes/engine), which knows each by the name it was registered under. To add one: a folder with its driver, and a row in
 * driver.c.
 */
#ifndef RUNTIMES_DRIVER_H
#define RUNTIMES_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct driver {
	const char *name;           /* as a function says it */
	const char *engine_runtime; /* as Docker Engine says it: HostConfig.Runtime */
	const char *egress_runtime; /* the same runtime, as scripts/egress registers it: it joins a sandbox to the network */
	const char *missing;        /* what to do when the engine does not offer it */
	bool hangs_without_memory; /* the kernel may kill a part of a sandbox for a lack of memory, and the rest waits for it */
	bool ignores_nr_inodes;    /* a tmpfs of its own does not limit the number of files: /tmp is one of the host's */
	int64_t least_memory_mb;   /* of a sandbox */
	int64_t own_pids;          /* threads on the host that a sandbox needs itself */
	int64_t pids_each;         /* and for each thread of the function */
};

extern const struct driver *const drivers[];
extern const size_t driver_count;

/* NULL when there is none of that name. */
const struct driver *driver_find(const char *name);

#endif
