/*
 * Turns: which workers of a pool accept requests. For fast functions few workers do more than many: the next request is there
 * when one is done, so nobody has to be woken for it, and each keeps the sandboxes it needs (run/lease.h). So only workers
 * that have a turn accept. One whose request takes long passes its turn to a worker that stands by: slow functions hold nobody
 * up, as long as there are workers.
 *
 * Who has a turn stands in the scoreboard, where a worker that dies leaves none behind. There are no locks; for a moment there
 * may be one turn too many, or too few until somebody looks again.
 */
#ifndef WORKER_TURN_H
#define WORKER_TURN_H

#include <stdbool.h>

#include "ipc/scoreboard.h"

struct turn {
	struct scoreboard *board; /* borrowed */
	struct slot *slot;        /* this process's */
	int limit;                /* how many there are; 0: everybody has one */
	int wake_fd;              /* eventfd, readable: one may be free. Borrowed */
};

bool turn_has(const struct turn *turn);

/* Takes one if there is one. Returns whether there is one now, new or old. */
bool turn_take(struct turn *turn);

/* Gives up one's own, and wakes somebody who stands by. */
void turn_pass(struct turn *turn);

/* Whoever is woken: makes wake_fd unreadable and takes a turn if there still is one. */
bool turn_on_wake(struct turn *turn);

#endif
