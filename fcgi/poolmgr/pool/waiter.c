#include "poolmgr/pool/waiter.h"

#include <stdio.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "poolmgr/node/counters.h"

struct waiter *waiters;
int waiter_count;

struct waiter *waiter_new(struct client *client, uint64_t seq, uint64_t deadline_us, struct str request_id)
{
	struct waiter *w = mem_alloc(sizeof(*w));

	w->client = client;
	w->seq = seq;
	w->queued_us = clock_mono_us();
	w->deadline_us = (int64_t)MIN(deadline_us, (uint64_t)INT64_MAX);
	snprintf(w->request_id, sizeof(w->request_id), "%.*s", (int)MIN(request_id.len, 64u), request_id.data);
	DL_APPEND2(waiters, w, all_prev, all_next);
	waiter_count++;
	return w;
}

static void set_hungry(struct version *v)
{
	bool hungry = v->waiting > 0;

	if (hungry == v->hungry)
		return;
	v->hungry = hungry;
	if (hungry)
		DL_APPEND2(v->shape->hungry, v, hungry_prev, hungry_next);
	else
		DL_DELETE2(v->shape->hungry, v, hungry_prev, hungry_next);
}

void waiter_join_queue(struct waiter *w, struct version *v)
{
	w->version = version_ref(v);
	DL_APPEND(v->waiters, w);
	v->waiting++;
	set_hungry(v);
}

void waiter_leave_queue(struct waiter *w)
{
	struct version *v = w->version;

	if (v == NULL)
		return;
	DL_DELETE(v->waiters, w);
	v->waiting--;
	set_hungry(v);
	version_unref(&w->version);
}

void waiter_free(struct waiter *w)
{
	waiter_leave_queue(w);
	DL_DELETE2(waiters, w, all_prev, all_next);
	waiter_count--;
	free(w->ref);
	free(w);
}

void waiter_abandon(struct waiter *w)
{
	w->client = NULL;
	if (!w->resolving)
		waiter_free(w);
}

static enum counter counter_of(enum problem_code code)
{
	static const enum counter denials[PROBLEM_COUNT] = {
#define DENIAL(NAME, code) [PROBLEM_##NAME] = COUNT_DENY_##NAME,
#include "ipc/counter.def"
	};

	return denials[code] != 0 ? denials[code] : COUNT_DENY_OTHER;
}

void waiter_deny(struct waiter *w, enum problem_code code, enum throttled reason, const char *detail, int64_t retry_after_ms)
{
	struct ipc_msg m = {.type = IPC_DENY,
			    .deny = {.seq = w->seq,
				     .code = (uint8_t)code,
				     .reason = (uint8_t)reason,
				     .detail = STR(detail),
				     .retry_after_ms = (uint32_t)retry_after_ms}};

	if (w->version != NULL) {
		m.deny.function_id = w->version->function_id;
		m.deny.version = (uint32_t)w->version->spec->version;
	}
	if (w->client != NULL) {
		counters[counter_of(code)]++;
		client_send(w->client, &m);
	}
	waiter_abandon(w);
}

void waiter_deny_all(struct version *v, enum problem_code code, const char *detail, int64_t retry_after_ms)
{
	AUTO(version_unref) struct version *held = version_ref(v);

	while (held->waiters != NULL)
		waiter_deny(held->waiters, code, THROTTLED_NONE, detail, retry_after_ms);
}
