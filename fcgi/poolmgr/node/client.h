/*
 * The workers' connections. A client is one worker process; its messages are passed to the hooks, and answers are sent from
 * here. A worker that breaks a rule, or that is too slow to receive an answer, loses its connection. The memory that a worker
 * can occupy is bounded (ipc/ipc_msg.def), and so is the number of connections of each kind of worker, so that a worker that
 * was taken over can neither exhaust memory nor keep out workers of another kind.
 */
#ifndef POOLMGR_NODE_CLIENT_H
#define POOLMGR_NODE_CLIENT_H

#include <uv.h>

#include "conf/conf.h"
#include "ipc/inherited.h"
#include "ipc/ipc.h"

struct client;

struct client_hooks {
	/*
	 * Called for a message that this worker may send. Returns NULL, or in words what is wrong with it; the client is then
	 * closed.
	 */
	const char *(*message)(struct client *client, struct ipc_msg *msg);

	/* The client is being closed; nothing may be sent to it any more. */
	void (*gone)(struct client *client);
};

/* Serves the listening socket, which stays the caller's, for these users and root; clients must remain valid. */
void client_init(uv_loop_t *loop, const struct conf *conf, int listen_fd, const uid_t clients[INHERITED_CLIENTS],
		 const struct client_hooks *hooks);
void client_set_conf(const struct conf *conf);

/* Stops serving the socket and closes all connections. */
void client_deinit(void);

/* Sends one message. A client that cannot receive it is closed before the next round of the loop. */
void client_send(struct client *client, const struct ipc_msg *msg);

int client_count(void);

#endif
