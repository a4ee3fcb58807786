/*
 * Handles the messages of workers: one handler per message (ipc/ipc_msg.def), most of which call the pool
 * (poolmgr/pool/pool.h). node/client.h has checked that the worker may send the message. Also keeps track of sandboxes of an
 * earlier poolmgr that workers still use.
 */
#ifndef POOLMGR_MESSAGES_H
#define POOLMGR_MESSAGES_H

#include <stdbool.h>

#include "poolmgr/node/client.h"

/* The hooks of node/client.h. */
const char *messages_take(struct client *client, struct ipc_msg *msg);
void messages_client_gone(struct client *client);

/* Whether the container was leased by an earlier poolmgr and a worker still uses it. */
bool messages_anyone_holds(const char *sandbox_id);

#endif
