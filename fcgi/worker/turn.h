/*
 * Turns decide which workers of a pool accept requests. For fast functions a few workers achieve more than many: when a worker
 * finishes, the next request is already there, so no process has to be woken for it, and each worker keeps the sandboxes it
 * needs (run/lease.h). So only workers with a turn accept. A worker whose request takes long passes its turn to a worker that
 * stands by, so slow functions delay no others as long as there are workers.
 *
 * The scoreboard says which workers have a turn, so a worker that dies leaves none behind. There are no locks: for a moment
 * there may be one turn too many, or one too few until another worker looks.
 */
#ifndef WORKER_TURN_H
#define WORKER_TURN_H

#include <stdbool.h>

#include "ipc/scoreboard.h"

struct turn {
	struct scoreboard *board; /* borrowed */
	struct slot *slot;        /* this process's */
	int limit;                /* the number of turns; 0: every worker has one */
	int wake_fd;              /* eventfd, readable when a turn may be free; borrowed */
};

bool turn_has(const struct turn *turn);

/* Takes a turn if one is free. Returns whether this worker has one now, new or old. */
bool turn_take(struct turn *turn);

/* Gives up this worker's turn, and wakes a worker that stands by. */
void turn_pass(struct turn *turn);

/* To be called after waking up: makes wake_fd unreadable and takes a turn if one is still free. */
bool turn_on_wake(struct turn *turn);

#endif
