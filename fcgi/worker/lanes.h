/*
 * Lanes are the FastCGI sockets from which a pool accepts. nginx sends all invocations of one function through the same lane,
 * so the backlogs of the sockets are queues of functions, and workers serve them in turn: a function that gets more requests
 * than it can handle has a long queue, and delays only the functions in its lane.
 *
 * A request that was accepted and waits for its sandbox occupies a worker. So only a few may do that in one lane, the fewer the
 * scarcer workers are; the others wait in the backlog, where waiting costs nothing. A lane that has reached this number is
 * closed until fewer wait. The scoreboard says which workers wait for which lane (slot.waits_in).
 *
 * Deployments and queries have lanes too, chosen by the client's address. Their requests may take seconds, so a lane may occupy
 * at most half of the workers, and one client never occupies all of them; lanes_enter enforces this. The same holds for health
 * checks, where one lane has the requests that wait for no other process, and the other those that may have to.
 */
#ifndef WORKER_LANES_H
#define WORKER_LANES_H

#include <stdbool.h>

#include "base/err.h"
#include "ipc/scoreboard.h"

struct lanes;

/* A pool's lanes. All are borrowed. */
struct lanes_plan {
	int first_fd, count; /* the sockets are first_fd, first_fd + 1, …; they are made non-blocking */
	int epoll_fd;        /* the epoll descriptor that watches them */
	struct scoreboard *board;
	enum child_role role;
	int max_workers; /* of the pool */
	bool in_halves;  /* a lane occupies at most half of the workers */
};

int lanes_new(const struct lanes_plan *plan, struct lanes **lanes, struct err *err);
void lanes_free(struct lanes **lanes); /* destructor for AUTO; accepts NULL */

/* To be called before waiting for requests: watches the lanes that are open, or none when the worker does not accept. */
int lanes_watch(struct lanes *lanes, bool accepts, struct err *err);

/* Whether any lane is closed. Then call lanes_watch again soon, because no event says when it may be opened. */
bool lanes_any_shut(const struct lanes *lanes);

/* Whether enough workers of the pool are free for new requests of any lane. */
bool lanes_workers_abound(const struct lanes *lanes);

/*
 * To be called before lanes_accept, with the worker's own slot. False: the lane already occupies half of the workers. Otherwise
 * the slot counts as busy in the lane until lanes_leave. If two workers try to take the last place at the same time, possibly
 * neither gets it. Lanes of functions, and the lane of a pool with only one, can always be entered.
 */
bool lanes_enter(const struct lanes *lanes, struct slot *slot, int lane);
void lanes_leave(const struct lanes *lanes, struct slot *slot);

/* The lane whose descriptor this is; -1: none. */
int lanes_find(const struct lanes *lanes, int fd);

/* Accepts one connection, which is blocking. -1 with the errno of accept4(2). */
int lanes_accept(const struct lanes *lanes, int lane);

int lanes_count(const struct lanes *lanes);

#endif
