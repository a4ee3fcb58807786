/*
 * What waits in front of the workers: the connections in the backlogs of the lanes (worker/lanes.h). Nobody has accepted them
 * yet, so the kernel is asked (sock_diag(7)).
 */
#ifndef POOLMGR_NODE_BACKLOG_H
#define POOLMGR_NODE_BACKLOG_H

#include "base/err.h"

struct backlog {
	int lanes; /* sockets that listen */
	int waiting, longest;
};

/* All zero with err when the kernel does not say. Takes a fraction of a millisecond. */
int backlog_read(const char *run_dir, int lanes, struct backlog *backlog, struct err *err);

#endif
