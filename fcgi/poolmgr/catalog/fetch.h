/* A version's package on its way to this node: from PostgreSQL or with a worker's CHECK, unpacked, then ready to be linked. */
#ifndef POOLMGR_CATALOG_FETCH_H
#define POOLMGR_CATALOG_FETCH_H

#include <sys/types.h>

#include "base/err.h"

struct version;

/* Makes version->package READY in the end, and serves who waits for that; who waits when it fails is denied. */
void fetch_package(struct version *version);

/* The same of a package in a sealed memory file, unless this node has it. fd is borrowed; max_bytes: more is refused. */
int fetch_from_file(struct version *version, int fd, off_t max_bytes, struct err *err);

#endif
