/*
 * Waits for a descriptor on the libuv loop. The watch is allocated separately from its owner, because libuv closes handles
 * asynchronously.
 */
#ifndef POOLMGR_NODE_WATCH_H
#define POOLMGR_NODE_WATCH_H

#include <uv.h>

struct watch;

typedef void (*watch_fn)(int events, void *arg);

/*
 * events: UV_READABLE, UV_WRITABLE, UV_DISCONNECT. The descriptor stays the caller's, becomes non-blocking, and must outlive
 * the watch.
 */
struct watch *watch_new(uv_loop_t *loop, int fd, int events, watch_fn fn, void *arg);
void watch_set_events(struct watch *watch, int events);

/* Destructor; accepts NULL. fn is not called any more; the descriptor may be closed right after. */
void watch_free(struct watch **watch);

#endif
