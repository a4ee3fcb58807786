/*
 * Counts the requests that no worker has accepted yet: the connections in the backlogs of the lanes (worker/lanes.h). Only the
 * kernel knows them (sock_diag(7)).
 */
#ifndef POOLMGR_NODE_BACKLOG_H
#define POOLMGR_NODE_BACKLOG_H

#include "base/err.h"

struct backlog {
	int lanes; /* number of listening sockets */
	int waiting, longest;
};

/* All zero, with err, when the kernel gives no answer. Takes a fraction of a millisecond. */
int backlog_read(const char *run_dir, int lanes, struct backlog *backlog, struct err *err);

#endif
