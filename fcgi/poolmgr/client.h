/*
 * The workers' connections. A client is one worker process; what it sends becomes calls of pool.h, what the pool decides goes
 * back through here. A worker that breaks a rule, or is too slow to take an answer, loses its connection and with it its
 * leases. What one can have us keep is bounded (ipc/ipc_msg.def), and so is the number of connections of each kind of worker,
 * so that one that was taken over neither takes up memory without end nor keeps workers of another kind out.
 */
#ifndef POOLMGR_CLIENT_H
#define POOLMGR_CLIENT_H

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "conf/conf.h"
#include "ipc/heritage.h"
#include "ipc/ipc.h"

struct client;

/* Serves the listening socket, which stays the caller's, for those users and root; clients stays valid. */
void client_init(uv_loop_t *loop, const struct conf *conf, int listen_fd, const uid_t clients[HERITAGE_CLIENTS]);
void client_set_conf(const struct conf *conf);

/* Serves it no more, and closes all connections. */
void client_deinit(void);

/* Sends one message. A client that cannot take it is closed before the next turn of the loop. */
void client_send(struct client *client, const struct ipc_msg *msg);

/* A container an earlier poolmgr leased, named by the worker that still uses it. */
bool client_anyone_holds(const char *sandbox_id);

int client_count(void);

#endif
