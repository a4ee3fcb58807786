/*
 * The interface of the pool: requests of workers, and events of PostgreSQL, Docker and the clock. Behind it are the decisions
 * which request gets which sandbox (serve.h), and how many sandboxes are needed (demand.h), kept without requests (min_warm.h),
 * started (supply.h) and possible (room.h).
 */
#ifndef POOLMGR_POOL_POOL_H
#define POOLMGR_POOL_POOL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "conf/conf.h"
#include "engine/docker.h"
#include "ipc/ipc.h"
#include "poolmgr/node/client.h"

struct sandbox;
struct shape;

void pool_init(uv_loop_t *loop, const struct conf *conf, struct docker *docker);
void pool_set_conf(const struct conf *conf);

/* Both are answered with GRANT or DENY through client_send, now or later, at the latest at the request's deadline. */
void pool_lease(struct client *client, const struct ipc_lease *request);
void pool_check(struct client *client, const struct ipc_check *request,
		int archive_fd); /* borrowed; -1: the package is stored */

/* The number of sandboxes that the client has. */
int pool_count_leases(const struct client *client);

/* The request is answered with WITHDRAWN, if it still waits. */
void pool_withdraw(struct client *client, uint64_t seq);

/* Returns NULL when this client has no such lease. */
struct sandbox *pool_find_lease(const struct client *client, uint64_t lease_id);

/* Returns false when this client has no such lease. */
bool pool_release(struct client *client, const struct ipc_release *release);

/* Forgets versions of the function that are older than version; 0: all. */
void pool_invalidate(const char *function_id, int64_t version);

/* To be called when cached names may be outdated: recalls the sandboxes that workers keep for their next request. */
void pool_recall_all(void);

/* To be called when the worker is gone: destroys its sandboxes and forgets its requests. */
void pool_client_gone(struct client *client);

/* Sandbox hooks (poolmgr/sandbox/sandbox.h). */
void pool_on_spare(struct sandbox *sandbox);
void pool_on_start_failed(struct shape *shape, const char *why);
void pool_on_gone(void);
void pool_on_dead(struct sandbox *sandbox);

/* To be called after connecting to PostgreSQL, for the first time or again. */
void pool_on_store_connected(void);

/* To be called when Docker Engine does not answer: denies requests that cannot be served. */
void pool_on_engine_down(void);

/* Deadlines, eviction, spares; called every POOL_TICK_MS. */
#define POOL_TICK_MS 50
void pool_tick(int64_t now_us);

/*
 * Whether all spares and all sandboxes of min_warm are ready or cannot be started, so that delaying the first requests would
 * gain nothing.
 */
bool pool_is_settled(void);

/* Stops the pool: no sandbox is started or granted any more, and all are killed, leased ones when they are given back. */
void pool_stop(void);

/* Kills leased sandboxes. */
void pool_revoke(void);

/* The number of requests that wait, in all queues and for lookups. */
int pool_waiting(void);

#endif
