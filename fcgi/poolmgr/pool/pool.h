/*
 * The pool's doors: what workers ask for, what PostgreSQL, Docker and the clock have to say. Behind them: who gets which
 * sandbox (serve.h), how many are needed (demand.h), are kept without requests (keep.h), are started (supply.h) and fit
 * (room.h).
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

/* Answered with GRANT or DENY through client_send, now or later, at the latest at the request's deadline. */
void pool_lease(struct client *client, const struct ipc_lease *request);
void pool_check(struct client *client, const struct ipc_check *request, int archive_fd); /* borrowed; -1: it is stored */

/* How many sandboxes it has. */
int pool_count_leases(const struct client *client);

/* NULL when this client has no such lease. */
struct sandbox *pool_find_lease(const struct client *client, uint64_t lease_id);

/* False when this client has no such lease. */
bool pool_release(struct client *client, const struct ipc_release *release);

/* Forgets versions of the function that are older than version; 0: all. */
void pool_invalidate(const char *function_id, int64_t version);

/* Which version a name stands for is not known any more: what workers keep for their next request comes back. */
void pool_recall_all(void);

/* The worker is gone: what it leased is destroyed, what it waits for is forgotten. */
void pool_client_gone(struct client *client);

/* Sandbox hooks (poolmgr/sandbox/sandbox.h). */
void pool_on_spare(struct sandbox *sandbox);
void pool_on_start_failed(struct shape *shape, const char *why);
void pool_on_gone(void);
void pool_on_dead(struct sandbox *sandbox);

/* Connected to PostgreSQL, for the first time or again. */
void pool_on_store_connected(void);

/* Docker Engine does not answer: who cannot be served is told. */
void pool_on_engine_down(void);

/* Deadlines, eviction, spares; called every POOL_TICK_MS. */
#define POOL_TICK_MS 50
void pool_tick(int64_t now_us);

/* Nothing that should be ready without requests is on its way: a first one would gain nothing by waiting. */
bool pool_is_settled(void);

/* No sandbox is started or granted any more; all are killed, those that are leased once they are given back. */
void pool_stop(void);

/* Kills those that are leased. */
void pool_revoke(void);

/* How many requests wait, in all queues and for lookups. */
int pool_waiting(void);

#endif
