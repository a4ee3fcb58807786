#include "worker/lanes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/inherited.h"

/*
 * The maximum number of requests of one lane that wait for a sandbox at a time: enough for poolmgr to see that more sandboxes
 * are needed.
 */
#define WAITING_MAX 16

/* One request of each lane may wait however few workers are free; more may wait only up to 1/FREE_SHARE of the free workers. */
#define FREE_SHARE 4

struct lanes {
	struct lanes_plan plan;
	bool any_shut;
	bool watched[INHERITED_LISTENERS_MAX];
};

int lanes_new(const struct lanes_plan *plan, struct lanes **lanes, struct err *err)
{
	assert(plan->count >= 1 && plan->count <= INHERITED_LISTENERS_MAX);
	/*
	 * Non-blocking, because all workers of a pool wait on the same sockets and another one may have taken the connection.
	 */
	for (int i = 0; i < plan->count; i++)
		if (fd_set_nonblock(plan->first_fd + i, true, err) < 0)
			return -1;
	struct lanes *l = mem_alloc(sizeof(*l));
	l->plan = *plan;
	*lanes = l;
	return 0;
}

void lanes_free(struct lanes **lanes)
{
	mem_free(lanes);
}

/*
 * Counts the requests that wait in each lane. Returns the number of workers that could still take one, including those not
 * started yet.
 */
static int look(const struct lanes *l, int waiting[INHERITED_LISTENERS_MAX])
{
	int used = scoreboard_used(l->plan.board), busy = 0;

	memset(waiting, 0, INHERITED_LISTENERS_MAX * sizeof(*waiting));
	for (int i = 0; i < used; i++) {
		const struct slot *slot = scoreboard_slot(l->plan.board, i);
		if (atomic_load_explicit(&slot->state, memory_order_relaxed) != SLOT_BUSY ||
		    atomic_load_explicit(&slot->role, memory_order_relaxed) != l->plan.role)
			continue;
		busy++;
		uint32_t lane = atomic_load_explicit(&slot->waits_in, memory_order_relaxed);
		if (lane >= 1 && lane <= INHERITED_LISTENERS_MAX)
			waiting[lane - 1]++;
	}
	return MAX(0, l->plan.max_workers - busy);
}

/* The number of requests that may wait in one lane. */
static int allowed(const struct lanes *l, int free)
{
	return l->plan.in_halves ? MAX(l->plan.max_workers / 2, 1) : MIN(MAX(free / FREE_SHARE, 1), WAITING_MAX);
}

/* EPOLLEXCLUSIVE: one worker is woken for a connection. */
static int set_watched(struct lanes *l, int lane, bool watched, struct err *err)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = l->plan.first_fd + lane};

	if (epoll_ctl(l->plan.epoll_fd, watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->plan.first_fd + lane, &e) < 0)
		return err_set(err, errno, "watch lane %d", lane);
	l->watched[lane] = watched;
	return 0;
}

int lanes_watch(struct lanes *l, bool accepts, struct err *err)
{
	int waiting[INHERITED_LISTENERS_MAX];
	int most = allowed(l, look(l, waiting));

	l->any_shut = false;
	for (int i = 0; i < l->plan.count; i++) {
		bool open = waiting[i] < most;
		l->any_shut = l->any_shut || (accepts && !open);
		if ((accepts && open) != l->watched[i] && set_watched(l, i, accepts && open, err) < 0)
			return -1;
	}
	return 0;
}

bool lanes_any_shut(const struct lanes *l)
{
	return l->any_shut;
}

bool lanes_workers_abound(const struct lanes *l)
{
	int waiting[INHERITED_LISTENERS_MAX];

	return look(l, waiting) >= l->plan.max_workers / FREE_SHARE;
}

bool lanes_enter(const struct lanes *l, struct slot *slot, int lane)
{
	int waiting[INHERITED_LISTENERS_MAX];

	if (!l->plan.in_halves)
		return true;
	/* Announced before counting, so that of several workers that enter at the same time each sees the others. */
	atomic_store(&slot->waits_in, (uint32_t)lane + 1);
	atomic_store(&slot->state, SLOT_BUSY);
	atomic_thread_fence(memory_order_seq_cst);
	int free = look(l, waiting);
	if (waiting[lane] <= allowed(l, free))
		return true;
	lanes_leave(l, slot);
	return false;
}

void lanes_leave(const struct lanes *l, struct slot *slot)
{
	if (!l->plan.in_halves)
		return;
	atomic_store(&slot->state, SLOT_IDLE);
	atomic_store(&slot->waits_in, 0);
}

int lanes_find(const struct lanes *l, int fd)
{
	int lane = fd - l->plan.first_fd;

	return lane >= 0 && lane < l->plan.count ? lane : -1;
}

int lanes_accept(const struct lanes *l, int lane)
{
	return accept4(l->plan.first_fd + lane, NULL, NULL, SOCK_CLOEXEC);
}

int lanes_count(const struct lanes *l)
{
	return l->plan.count;
}
