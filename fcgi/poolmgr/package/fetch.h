/*
 * Gets the package of a version to this node: from PostgreSQL or from a worker's CHECK. It is unpacked and is then ready to be
 * linked.
 */
#ifndef POOLMGR_PACKAGE_FETCH_H
#define POOLMGR_PACKAGE_FETCH_H

#include <sys/types.h>

#include "base/err.h"

struct version;

/* The result, when the package was not there at once. */
struct fetch_hooks {
	void (*ready)(struct version *version); /* its package is READY */
	void (*failed)(struct version *version,
		       const struct err *err); /* its package is UNKNOWN again; ENOTCONN: PostgreSQL is unavailable */
};

void fetch_init(const struct fetch_hooks *hooks);

/* Fetches and unpacks the package; in the end version->package is READY. */
void fetch_package(struct version *version);

/*
 * The same for a package in a sealed memory file, unless this node has it already. fd is borrowed; a package larger than
 * max_bytes is refused.
 */
int fetch_from_file(struct version *version, int fd, off_t max_bytes, struct err *err);

#endif
