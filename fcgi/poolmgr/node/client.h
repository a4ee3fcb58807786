/*
 * The workers' connections. A client is one worker process; what it sends is handed to the hooks, what they and others decide
 * goes back through here. A worker that breaks a rule, or is too slow to take an answer, loses its connection. What one can
 * have us keep is bounded (ipc/ipc_msg.def), and so is the number of connections of each kind of worker, so that one that was
 * taken over neither takes up memory without end nor keeps workers of another kind out.
 */
#ifndef POOLMGR_NODE_CLIENT_H
#define POOLMGR_NODE_CLIENT_H

#include <uv.h>

#include "conf/conf.h"
#include "ipc/heritage.h"
#include "ipc/ipc.h"

struct client;

struct client_hooks {
	/* One that this worker may send. NULL; or what is wrong with it all the same, in words: the client is closed then. */
	const char *(*message)(struct client *client, struct ipc_msg *msg);

	/* It is being closed; nothing may be sent to it any more. */
	void (*gone)(struct client *client);
};

/* Serves the listening socket, which stays the caller's, for those users and root; clients stays valid. */
void client_init(uv_loop_t *loop, const struct conf *conf, int listen_fd, const uid_t clients[HERITAGE_CLIENTS],
		 const struct client_hooks *hooks);
void client_set_conf(const struct conf *conf);

/* Serves it no more, and closes all connections. */
void client_deinit(void);

/* Sends one message. A client that cannot take it is closed before the next turn of the loop. */
void client_send(struct client *client, const struct ipc_msg *msg);

int client_count(void);

#endif
