#include "poolmgr/messages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "poolmgr/pool/pool.h"
#include "poolmgr/sandbox/postmortem.h"
#include "poolmgr/sandbox/sandbox.h"
#include "poolmgr/sandbox/stray.h"
#include "poolmgr/stats.h"

/* ---- Sandboxes of an earlier poolmgr ---- */

/* A sandbox that a worker has named in HELLO; each worker has at most one. */
struct held {
	const struct client *client;
	char id[SANDBOX_ID_SIZE];
	struct held *next;
};

static struct held *held;

/* A sandbox leased by an earlier poolmgr cannot be used again, because this process does not have its sockets. */
static void let_go_of_held(const struct client *c)
{
	struct held *h;

	LL_SEARCH_SCALAR(held, h, client, c);
	if (h == NULL)
		return;
	LL_DELETE(held, h);
	stray_remove(h->id, COUNT_KILL_INHERITED);
	free(h);
}

bool messages_anyone_holds(const char *sandbox_id)
{
	const struct held *h;

	LL_FOREACH (held, h)
		if (strcmp(h->id, sandbox_id) == 0)
			return true;
	return false;
}

/* ---- One handler per message ---- */

static void on_hello(struct client *c, struct ipc_msg *m)
{
	if (m->hello.held_sandbox.len != SANDBOX_ID_SIZE - 1)
		return;
	struct held *h = mem_alloc(sizeof(*h));
	h->client = c;
	snprintf(h->id, sizeof(h->id), "%.*s", SANDBOX_ID_SIZE - 1, m->hello.held_sandbox.data);
	LL_PREPEND(held, h);
}

static void on_lease(struct client *c, struct ipc_msg *m)
{
	pool_lease(c, &m->lease);
}

static void on_check(struct client *c, struct ipc_msg *m)
{
	pool_check(c, &m->check, m->fds[0]);
}

static void on_check_stored(struct client *c, struct ipc_msg *m)
{
	const struct ipc_check_stored *s = &m->check_stored;
	const struct ipc_check check = {s->seq, s->spec, s->deadline_us, s->request_id};

	pool_check(c, &check, -1);
}

static void on_withdraw(struct client *c, struct ipc_msg *m)
{
	pool_withdraw(c, m->withdraw.seq);
}

static void on_release(struct client *c, struct ipc_msg *m)
{
	if (!pool_release(c, &m->release))
		let_go_of_held(c);
}

static void on_postmortem(struct client *c, struct ipc_msg *m)
{
	postmortem_ask(c, pool_find_lease(c, m->postmortem.lease_id), m->postmortem.seq);
}

static void on_invalidate(struct client *c, struct ipc_msg *m)
{
	struct ipc_msg done = {.type = IPC_DONE, .done.seq = m->invalidate.seq};
	char id[UUID_TEXT_SIZE];

	uuid_format(&m->invalidate.function_id, id);
	pool_invalidate(id, m->invalidate.version);
	client_send(c, &done);
}

static void on_stats(struct client *c, struct ipc_msg *m)
{
	char *text = stats_text_new(m->stats.whole);
	struct ipc_msg reply = {.type = IPC_STATS_REPLY, .stats_reply = {.seq = m->stats.seq, .json = STR(text)}};

	client_send(c, &reply);
	free(text);
}

static void (*const handlers[IPC_TYPE_COUNT])(struct client *c, struct ipc_msg *m) = {
	[IPC_HELLO] = on_hello,           [IPC_LEASE] = on_lease,
	[IPC_CHECK] = on_check,           [IPC_CHECK_STORED] = on_check_stored,
	[IPC_WITHDRAW] = on_withdraw,     [IPC_RELEASE] = on_release,
	[IPC_INVALIDATE] = on_invalidate, [IPC_STATS] = on_stats,
	[IPC_POSTMORTEM] = on_postmortem,
};

const char *messages_take(struct client *c, struct ipc_msg *m)
{
	if ((m->type == IPC_LEASE || m->type == IPC_CHECK || m->type == IPC_CHECK_STORED) &&
	    pool_count_leases(c) > IPC_KEPT_MAX)
		return "asks for more sandboxes than a worker may have";
	if (handlers[m->type] != NULL)
		handlers[m->type](c, m);
	return NULL;
}

void messages_client_gone(struct client *c)
{
	pool_client_gone(c);
	let_go_of_held(c);
}
