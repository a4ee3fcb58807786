#include "worker/lanes.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/mem.h"
#include "ipc/heritage.h"

/* Requests of one lane that may wait for a sandbox at a time: enough for poolmgr to see that more sandboxes are worth it. */
#define WAITING_MAX 16

/* Each lane may have a request wait, however few workers are free, and at most one in so many of the free ones. */
#define FREE_SHARE 4

struct lanes {
	int first_fd, count, epoll_fd;
	struct scoreboard *board;
	int max_workers;
	bool any_shut;
	bool watched[HERITAGE_LISTENERS_MAX];
};

int lanes_new(int first_fd, int count, int epoll_fd, struct scoreboard *board, int max_workers, struct lanes **lanes,
	      struct err *err)
{
	assert(count >= 1 && count <= HERITAGE_LISTENERS_MAX);
	/* All workers of a pool wait on the same sockets: whoever finds nothing left must not block. */
	for (int i = 0; i < count; i++)
		if (fd_set_nonblock(first_fd + i, true, err) < 0)
			return -1;
	struct lanes *l = mem_alloc(sizeof(*l));
	l->first_fd = first_fd;
	l->count = count;
	l->epoll_fd = epoll_fd;
	l->board = board;
	l->max_workers = max_workers;
	*lanes = l;
	return 0;
}

void lanes_free(struct lanes **lanes)
{
	mem_free(lanes);
}

/* How many requests wait in each lane; returns how many workers could still take one, those not started yet included. */
static int look(const struct lanes *l, int waiting[HERITAGE_LISTENERS_MAX])
{
	int used = scoreboard_used(l->board), busy = 0;

	memset(waiting, 0, HERITAGE_LISTENERS_MAX * sizeof(*waiting));
	for (int i = 0; i < used; i++) {
		const struct slot *slot = scoreboard_slot(l->board, i);
		if (atomic_load_explicit(&slot->state, memory_order_relaxed) != SLOT_BUSY)
			continue;
		busy++;
		uint32_t lane = atomic_load_explicit(&slot->waits_in, memory_order_relaxed);
		if (lane >= 1 && lane <= HERITAGE_LISTENERS_MAX)
			waiting[lane - 1]++;
	}
	return MAX(0, l->max_workers - busy);
}

/* EPOLLEXCLUSIVE: one worker is woken for a connection. */
static int set_watched(struct lanes *l, int lane, bool watched, struct err *err)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = l->first_fd + lane};

	if (epoll_ctl(l->epoll_fd, watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, l->first_fd + lane, &e) < 0)
		return err_set(err, errno, "watch lane %d", lane);
	l->watched[lane] = watched;
	return 0;
}

int lanes_watch(struct lanes *l, bool accepts, struct err *err)
{
	int waiting[HERITAGE_LISTENERS_MAX];
	int allowed = MIN(MAX(look(l, waiting) / FREE_SHARE, 1), WAITING_MAX);

	l->any_shut = false;
	for (int i = 0; i < l->count; i++) {
		bool open = waiting[i] < allowed;
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
	int waiting[HERITAGE_LISTENERS_MAX];

	return look(l, waiting) >= l->max_workers / FREE_SHARE;
}

int lanes_find(const struct lanes *l, int fd)
{
	return fd >= l->first_fd && fd < l->first_fd + l->count ? fd - l->first_fd : -1;
}

int lanes_accept(const struct lanes *l, int lane)
{
	return accept4(l->first_fd + lane, NULL, NULL, SOCK_CLOEXEC);
}

int lanes_count(const struct lanes *l)
{
	return l->count;
}
