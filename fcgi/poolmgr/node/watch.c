#include "poolmgr/node/watch.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"

struct watch {
	uv_poll_t poll;
	int events;
	watch_fn fn;
	void *arg;
};

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct watch *w = poll->data;

	/*
	 * libuv stops watching when the descriptor has an error condition. The owner finds the error by reading. There may be
	 * more to read before it, so watching continues until the owner stops it.
	 */
	if (status < 0)
		uv_poll_start(poll, w->events, on_event);
	w->fn(status < 0 ? UV_READABLE | UV_DISCONNECT : events, w->arg);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct watch *watch_new(uv_loop_t *loop, int fd, int events, watch_fn fn, void *arg)
{
	struct watch *w = mem_alloc(sizeof(*w));

	w->fn = fn;
	w->arg = arg;
	int rc = uv_poll_init(loop, &w->poll, fd);
	if (rc != 0) {
		/* Fails only for a descriptor that cannot be polled, which would be a bug. */
		log_error("cannot watch descriptor %d: %s", fd, uv_strerror(rc));
		abort();
	}
	w->poll.data = w;
	watch_set_events(w, events);
	return w;
}

void watch_set_events(struct watch *watch, int events)
{
	watch->events = events;
	uv_poll_start(&watch->poll, events, on_event);
}

void watch_free(struct watch **watch)
{
	if (*watch == NULL)
		return;
	uv_close((uv_handle_t *)&(*watch)->poll, on_closed);
	*watch = NULL;
}
