/*
 * What workers say, and what is done about it: one handler per message (ipc/ipc_msg.def), most of which call the pool
 * (poolmgr/pool/pool.h). Who may send what, and when, node/client.h has checked by then. Also which sandboxes of an earlier
 * poolmgr workers still have.
 */
#ifndef POOLMGR_MESSAGES_H
#define POOLMGR_MESSAGES_H

#include <stdbool.h>

#include "poolmgr/node/client.h"

/* The hooks of node/client.h. */
const char *messages_take(struct client *client, struct ipc_msg *msg);
void messages_client_gone(struct client *client);

/* A container an earlier poolmgr leased, named by the worker that still uses it. */
bool messages_anyone_holds(const char *sandbox_id);

#endif
