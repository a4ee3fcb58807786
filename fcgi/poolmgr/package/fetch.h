/* A version's package on its way to this node: from PostgreSQL or with a worker's CHECK, unpacked, then ready to be linked. */
#ifndef POOLMGR_PACKAGE_FETCH_H
#define POOLMGR_PACKAGE_FETCH_H

#include <sys/types.h>

#include "base/err.h"

struct version;

/* How it came out, when it was not there at once. */
struct fetch_hooks {
	void (*ready)(struct version *version);                         /* its package is READY */
	void (*failed)(struct version *version, const struct err *err); /* UNKNOWN again; ENOTCONN: PostgreSQL is away */
};

void fetch_init(const struct fetch_hooks *hooks);

/* Makes version->package READY in the end. */
void fetch_package(struct version *version);

/* The same of a package in a sealed memory file, unless this node has it. fd is borrowed; max_bytes: more is refused. */
int fetch_from_file(struct version *version, int fd, off_t max_bytes, struct err *err);

#endif
