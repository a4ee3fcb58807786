#include "poolmgr/pool/serve.h"

#include <fcntl.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/catalog/init_payload.h"
#include "poolmgr/node/counters.h"
#include "poolmgr/package/cache.h"
#include "poolmgr/package/fetch.h"
#include "poolmgr/package/package.h"
#include "poolmgr/pool/demand.h"
#include "poolmgr/pool/obstacle.h"
#include "poolmgr/pool/waiter.h"
#include "poolmgr/sandbox/sandbox.h"
#include "poolmgr/sandbox/warmup.h"

static const struct conf *conf;
static void (*on_failed)(struct version *version, const char *why);
static uint64_t next_lease_id;
static int null_fd; /* passed instead of the files of a cgroup that is not open */

/* ---- Being answered ---- */

static const enum counter grants[] = {
	[IPC_START_WARM] = COUNT_GRANT_WARM,
	[IPC_START_PREWARMED] = COUNT_GRANT_PREWARMED,
	[IPC_START_COLD] = COUNT_GRANT_COLD,
};

static enum ipc_start_kind start_kind(const struct sandbox *s, const struct waiter *w)
{
	if (s->initialised)
		return IPC_START_WARM;
	return s->created_us <= w->queued_us ? IPC_START_PREWARMED : IPC_START_COLD;
}

static int file_of(const struct sandbox *s, enum cgroup_fd file)
{
	return cgroup_is_open(&s->cgroup) ? s->cgroup.fds[file] : null_fd;
}

static struct str text_of(const struct buf *b)
{
	return (struct str){buf_str(b), (uint32_t)b->len};
}

/* Grants the sandbox to the request that has waited longest. */
static void grant(struct version *v, struct sandbox *s)
{
	AUTO(mem_free) char *init = s->initialised ? NULL : init_payload_new(v->spec, s->id);
	struct waiter *w = v->waiters;
	struct ipc_msg m = {.type = IPC_GRANT,
			    .fds = {s->control_fd, s->log_fd, s->error_log_fd, file_of(s, CGROUP_CPU),
				    file_of(s, CGROUP_MEMORY), file_of(s, CGROUP_OOM)}};

	s->holder = w->client;
	s->lease_id = next_lease_id++;
	m.grant = (struct ipc_grant){
		.seq = w->seq,
		.lease_id = s->lease_id,
		.sandbox_id = STR(s->id),
		.start_kind = (uint8_t)start_kind(s, w),
		.queued_us = (uint32_t)MIN(clock_mono_us() - w->queued_us, (int64_t)UINT32_MAX),
		.usual_us = (uint32_t)MIN(v->usual_us, (int64_t)UINT32_MAX),
		.function_id = v->function_id,
		.version = (uint32_t)v->spec->version,
		.timeout_ms = (uint32_t)v->spec->timeout_ms,
		.init_timeout_ms = (uint32_t)v->spec->init_timeout_ms,
		.memory_limit_mb = (uint32_t)v->spec->memory_limit_mb,
		.response_bytes = (uint32_t)MIN(v->spec->response_bytes, conf->limits_response_bytes),
		.log_bytes = (uint32_t)v->spec->log_bytes,
		.single_use = version_is_single_use(v),
		.cpu_read_us =
			s->initialised ? (uint64_t)s->cpu_read_us : IPC_CPU_UNKNOWN, /* nothing of the function ran before */
		.restless = s->restless,
		.runtime = STR(v->spec->runtime),
		.init = init != NULL ? STR(init) : (struct str){"", 0},
		.secrets = text_of(&v->secrets),
		.last_id = s->late.id,
		.last_at_us = s->late.at_us,
		.last_room = s->late.room,
		.start_cause = STR(s->start_cause),
		.loaded_out = text_of(&s->loaded.texts[PRINTED_STDOUT]),
		.loaded_error = text_of(&s->loaded.texts[PRINTED_STDERR]),
		.loaded_lost = s->loaded.lost,
	};
	counters[grants[m.grant.start_kind]]++;
	s->initialised = true; /* it stays so unless it is given back as reusable */
	s->recalled = false;
	s->postmortem_seq = 0; /* the previous holder's */
	s->postmortem_us = s->postmortem_end_us = 0;
	sandbox_set_state(s, SANDBOX_LEASED);
	client_send(w->client, &m);
	loaded_free(&s->loaded);
	s->start_cause[0] = '\0';
	log_set_request(w->request_id);
	log_sandbox(LOG_DEBUG, s->id, "leased for %s", v->key);
	log_set_request(NULL);
	waiter_free(w);
}

/* ---- Assigning a spare to a version ---- */

static void cannot_link(struct version *v, struct sandbox *s, const struct err *err)
{
	log_sandbox(LOG_ERROR, s->id, "%s: %s", v->key, err->msg);
	sandbox_kill(s, COUNT_KILL_NOT_LINKED);
	v->package = PACKAGE_UNKNOWN;
	if (!cache_has(v->spec->package_sha256)) { /* another poolmgr has evicted it from the cache, or the cache was cleared */
		fetch_package(v);
		return;
	}
	waiter_deny_all(v, PROBLEM_RUNTIME_UNAVAILABLE, err->msg, obstacle_retry_after_ms(v));
	on_failed(v, err->msg);
}

static void use_linked(struct sandbox *s, const struct err *err)
{
	AUTO(version_unref) struct version *v = version_ref(s->version);

	if (err != NULL) {
		cannot_link(v, s, err);
		return;
	}
	if (v->waiters != NULL)
		grant(v, s);
	else if (v->stale)
		sandbox_kill(s, COUNT_KILL_STALE);
	else if (v->min_warm > 0)
		warmup_start(s);
	else
		sandbox_set_state(s, SANDBOX_IDLE);
	serve_queue(v);
}

static void on_linked(const struct err *err, void *arg)
{
	struct sandbox *s = arg;

	if (s->state == SANDBOX_ASSIGNED) /* otherwise it was killed meanwhile */
		use_linked(s, err);
	sandbox_release_hold(s);
}

void serve_assign(struct version *v, struct sandbox *s)
{
	s->version = version_ref(v);
	memcpy(s->start_cause, v->start_cause, sizeof(s->start_cause));
	v->start_cause[0] = '\0';
	sandbox_set_state(s, SANDBOX_ASSIGNED);
	sandbox_hold(s);
	package_link(v->spec->package_sha256, s->dir_fd, on_linked, s);
}

/* The same for a waiting request. */
static void assign_needed(struct version *v)
{
	v->collisions = 0;
	shape_needed(v->shape, clock_mono_us());
	serve_assign(v, v->shape->spares);
}

void serve_recall(struct version *v)
{
	struct sandbox *s;

	DL_FOREACH2 (v->leased, s, peer_next) {
		struct ipc_msg m = {.type = IPC_RECALL, .recall.lease_id = s->lease_id};
		if (!s->recalled)
			client_send(s->holder, &m);
		s->recalled = true;
	}
}

void serve_queue(struct version *v)
{
	while (v->waiters != NULL && v->idle != NULL)
		grant(v, v->idle);
	if (v->waiters != NULL)
		serve_recall(v);
	if (v->package != PACKAGE_READY)
		return;
	while (v->shape->spares != NULL && demand_for_spares(v) > 0)
		assign_needed(v);
}

/* Assigns a spare to the next version in turn; false when no version may have one. */
static bool serve_one_hungry(struct shape *shape)
{
	struct version *v;

	DL_FOREACH2 (shape->hungry, v, hungry_next) {
		if (v->package != PACKAGE_READY || demand_for_spares(v) == 0)
			continue;
		DL_DELETE2(shape->hungry, v, hungry_prev, hungry_next);
		DL_APPEND2(shape->hungry, v, hungry_prev, hungry_next);
		assign_needed(v);
		return true;
	}
	return false;
}

void serve_hungry(struct shape *shape)
{
	while (shape->spares != NULL && serve_one_hungry(shape))
		;
}

void serve_init(void (*failed)(struct version *version, const char *why))
{
	on_failed = failed;
	/* Begins at a random number, so that lease ids of an earlier poolmgr do not recur. */
	next_lease_id = (uint64_t)clock_wall_us();
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
}

void serve_set_conf(const struct conf *c)
{
	conf = c;
}
