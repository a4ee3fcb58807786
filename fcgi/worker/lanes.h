/*
 * Lanes: the FastCGI sockets a pool accepts from. nginx sends all invocations of one function through the same lane, so the
 * queues in front of the workers, which are the sockets' backlogs, are queues of functions, and they are served in turn: a
 * function that gets more requests than it can do has a long queue, and holds up those in its lane only.
 *
 * A request that was accepted and has to wait for its sandbox takes up a worker. So few may do that in one lane, the fewer the
 * scarcer workers are; the others wait in the backlog, where waiting costs nothing. A lane with so many is shut until fewer
 * wait. How many that are is on the scoreboard (slot.waits_in).
 *
 * Deployments and queries have lanes, too, and there a lane is a client address. What is in hand may take seconds, whatever it
 * waits for, so a lane may have half of the workers at most: one caller never has them all. lanes_enter sees to that. It is the
 * same for health, where one lane has the questions that wait for nobody, and the other those that may.
 */
#ifndef WORKER_LANES_H
#define WORKER_LANES_H

#include <stdbool.h>

#include "base/err.h"
#include "ipc/scoreboard.h"

struct lanes;

/* A pool's lanes. All are borrowed. */
struct lanes_plan {
	int first_fd, count; /* the sockets first_fd, first_fd + 1, …, which are made non-blocking */
	int epoll_fd;        /* they are watched through */
	struct scoreboard *board;
	enum child_role role;
	int max_workers; /* of the pool */
	bool in_halves;  /* a lane has half of the workers at most */
};

int lanes_new(const struct lanes_plan *plan, struct lanes **lanes, struct err *err);
void lanes_free(struct lanes **lanes); /* destructor for AUTO; accepts NULL */

/* To be called before waiting for them: watches the lanes that are not shut, or none when the worker does not accept. */
int lanes_watch(struct lanes *lanes, bool accepts, struct err *err);

/* Whether any is shut, and has to be looked at again soon: nobody says when it opens. */
bool lanes_any_shut(const struct lanes *lanes);

/* Whether enough workers of the pool are free for what may come in any lane. */
bool lanes_workers_abound(const struct lanes *lanes);

/*
 * To be called before lanes_accept, with the worker's own slot. False: the lane has its half of the workers. Else the slot is
 * busy in it until lanes_leave. Of two that try at once for the last place, neither may get it. Lanes of functions, and a
 * single one, can be entered at any time.
 */
bool lanes_enter(const struct lanes *lanes, struct slot *slot, int lane);
void lanes_leave(const struct lanes *lanes, struct slot *slot);

/* The lane whose descriptor this is; -1: none. */
int lanes_find(const struct lanes *lanes, int fd);

/* Accepts one connection, which is blocking. -1 with errno as accept4(2) has it. */
int lanes_accept(const struct lanes *lanes, int lane);

int lanes_count(const struct lanes *lanes);

#endif
