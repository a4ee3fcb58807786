#include "poolmgr/pool/pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"
#include "poolmgr/catalog/resolve.h"
#include "poolmgr/node/counters.h"
#include "poolmgr/node/egress.h"
#include "poolmgr/package/fetch.h"
#include "poolmgr/package/package.h"
#include "poolmgr/pool/demand.h"
#include "poolmgr/pool/min_warm.h"
#include "poolmgr/pool/obstacle.h"
#include "poolmgr/pool/room.h"
#include "poolmgr/pool/serve.h"
#include "poolmgr/pool/supply.h"
#include "poolmgr/pool/waiter.h"
#include "poolmgr/sandbox/boot.h"
#include "poolmgr/sandbox/freezer.h"
#include "poolmgr/sandbox/image.h"
#include "poolmgr/sandbox/postmortem.h"
#include "poolmgr/sandbox/renewal.h"
#include "poolmgr/sandbox/sandbox.h"
#include "poolmgr/sandbox/warmup.h"

#define DRAINING_RETRY_MS 1000
#define REF_MAX           64 /* longer than any name or id */

/*
 * A client has one waiter. There are more only for a moment: those of requests that were denied while their function was being
 * looked up.
 */
#define WAITERS_MAX 10000

static const struct conf *conf;
static bool stopping;

/* ---- Requests ---- */

static void enqueue(struct waiter *w, struct version *v)
{
	waiter_join_queue(w, v);
	v->shape->used_us = w->queued_us;
	if (v->waiting > conf->pool_queue_length) {
		char detail[120];

		snprintf(detail, sizeof(detail),
			 "%lld requests already wait for a sandbox of this function (pool.queue_length)",
			 (long long)conf->pool_queue_length);
		waiter_deny(w, PROBLEM_THROTTLED, THROTTLED_QUEUE_FULL, detail, obstacle_retry_after_ms(v));
		return;
	}
	AUTO(version_unref) struct version *held = version_ref(v);
	if (v->idle == NULL)
		demand_note_collision(v);
	serve_queue(held);
	if (held->waiters == NULL)
		return;
	supply_now();
	supply_deny_if_hopeless(held);
}

/* current: the function's current version; NULL: there is no such function. */
static void deny_unknown(struct waiter *w, const struct version *current)
{
	char detail[200];

	if (current != NULL)
		snprintf(detail, sizeof(detail), "'%s' has no version %u; the current one is %lld", w->ref, w->number,
			 (long long)current->spec->version);
	else
		snprintf(detail, sizeof(detail), "There is no function '%s'", w->ref);
	waiter_deny(w, PROBLEM_NOT_FOUND, THROTTLED_NONE, detail, 0);
}

static void withdraw(struct waiter *w)
{
	struct ipc_msg m = {.type = IPC_WITHDRAWN, .withdrawn.seq = w->seq};

	counters[COUNT_DENY_WITHDRAWN]++;
	client_send(w->client, &m);
	waiter_abandon(w);
}

/* After a lookup for w, which found v or nothing. False: w is answered, or needs no answer any more. */
static bool is_looked_up(struct waiter *w, const struct err *err, const struct version *v)
{
	w->resolving = false;
	if (w->client == NULL)
		waiter_free(w);
	else if (w->withdrawn)
		withdraw(w);
	else if (clock_mono_us() > w->deadline_us)
		waiter_deny(w, PROBLEM_OVERLOADED, THROTTLED_NONE,
			    "The time for waiting was over before the function was found", obstacle_retry_after_ms(v));
	else if (err != NULL)
		waiter_deny(w, err->code == ENOTCONN ? PROBLEM_STORE_UNAVAILABLE : PROBLEM_RUNTIME_UNAVAILABLE, THROTTLED_NONE,
			    err->msg, obstacle_retry_after_ms(NULL));
	else
		return true;
	return false;
}

static void on_current_resolved(const struct err *err, struct version *v, void *arg)
{
	if (is_looked_up(arg, err, v))
		deny_unknown(arg, v);
}

static void on_resolved(const struct err *err, struct version *v, void *arg)
{
	struct waiter *w = arg;

	if (!is_looked_up(w, err, v))
		return;
	if (v != NULL) {
		if (w->number != 0)
			v->stale = false; /* requested by its number, so its sandboxes are kept */
		fetch_package(v);
		enqueue(w, v);
	} else if (w->number != 0) { /* is it the version or the function that does not exist? */
		w->resolving = true;
		resolve(w->ref, 0, on_current_resolved, w);
	} else {
		deny_unknown(w, NULL);
	}
}

static void start_resolving(struct waiter *w)
{
	w->resolving = true;
	resolve(w->ref, w->number, on_resolved, w);
}

/* Checks that hold for any request. False: it was denied. */
static bool is_taken(struct waiter *w)
{
	if (stopping)
		waiter_deny(w, PROBLEM_DRAINING, THROTTLED_NONE, "This node is stopping", DRAINING_RETRY_MS);
	else if (waiter_count > WAITERS_MAX)
		waiter_deny(w, PROBLEM_OVERLOADED, THROTTLED_NONE, "Too many requests wait for a sandbox on this node",
			    obstacle_retry_after_ms(NULL));
	else
		return true;
	return false;
}

void pool_lease(struct client *client, const struct ipc_lease *r)
{
	struct waiter *w = waiter_new(client, r->seq, r->deadline_us, r->request_id);

	if (!is_taken(w))
		return;
	if (r->function.len > REF_MAX) {
		waiter_deny(w, PROBLEM_NOT_FOUND, THROTTLED_NONE, "", 0);
		return;
	}
	w->ref = mem_strndup(r->function.data, r->function.len);
	w->number = r->version;
	start_resolving(w);
}

static int check_version(const struct ipc_check *r, int archive_fd, struct version **version, struct err *err)
{
	AUTO(version_unref) struct version *v = NULL;
	struct spec *spec;

	if (spec_from_text(r->spec.data, r->spec.len, &spec, err) < 0 || version_candidate_new(spec, &v, err) < 0)
		return -1;
	if (archive_fd < 0)
		fetch_package(v);
	else if (fetch_from_file(v, archive_fd, conf->limits_package_bytes, err) < 0)
		return -1;
	*version = TAKE_PTR(v);
	return 0;
}

void pool_check(struct client *client, const struct ipc_check *r, int archive_fd)
{
	struct waiter *w = waiter_new(client, r->seq, r->deadline_us, r->request_id);
	AUTO(version_unref) struct version *v = NULL;
	struct err err;

	if (!is_taken(w))
		return;
	if (check_version(r, archive_fd, &v, &err) < 0)
		waiter_deny(w, PROBLEM_RUNTIME_UNAVAILABLE, THROTTLED_NONE, err.msg, obstacle_retry_after_ms(NULL));
	else
		enqueue(w, v);
}

int pool_count_leases(const struct client *client)
{
	const struct sandbox *s;
	int n = 0;

	DL_FOREACH (sandbox_lists[SANDBOX_LEASED], s)
		n += s->holder == client;
	return n;
}

struct sandbox *pool_find_lease(const struct client *client, uint64_t lease_id)
{
	struct sandbox *s;

	DL_FOREACH (sandbox_lists[SANDBOX_LEASED], s)
		if (s->lease_id == lease_id && s->holder == client)
			return s;
	return NULL;
}

/* A moving average that falls faster than it rises, because a function's first calls take longer than later ones. */
static void learn_usual_time(struct version *v, const struct ipc_release *r)
{
	if (r->runs == 0)
		return;
	int64_t took_us = (int64_t)(MIN(r->busy_us, (uint64_t)INT64_MAX) / r->runs);
	int64_t share = v->usual_us == 0 ? 1 : took_us < v->usual_us || r->runs >= 16 ? 2 : 16;
	v->usual_us = MAX(1, v->usual_us + (took_us - v->usual_us) / share);
}

bool pool_release(struct client *client, const struct ipc_release *r)
{
	struct sandbox *s = pool_find_lease(client, r->lease_id);

	if (s == NULL)
		return false;
	AUTO(version_unref) struct version *v = version_ref(s->version);
	if (!v->candidate)
		learn_usual_time(v, r);
	if (r->runs > 1) /* the first worker was granted it */
		counters[COUNT_GRANT_KEPT] += r->runs - 1;
	s->holder = NULL;
	s->cpu_read_us = s->cpu_seen_us = (int64_t)r->cpu_read_us;
	s->restless = s->restless || r->restless != 0;
	s->late = (struct late){r->last_id, r->last_at_us, r->last_room};
	loaded_add(&s->loaded, PRINTED_STDOUT, r->loaded_out.data, r->loaded_out.len);
	loaded_add(&s->loaded, PRINTED_STDERR, r->loaded_error.data, r->loaded_error.len);
	s->loaded.lost += r->loaded_lost;
	bool used_up = version_is_single_use(v) && r->runs > 0;
	if (r->reason != 0 || s->dead || v->stale || used_up || s->unwanted != 0 || stopping) {
		sandbox_kill(s, r->reason != 0     ? (enum counter)r->reason
				: s->dead          ? COUNT_KILL_ENDED
				: v->stale         ? COUNT_KILL_STALE
				: used_up          ? COUNT_KILL_USED_UP
				: s->unwanted != 0 ? s->unwanted
						   : COUNT_KILL_STOPPING);
	} else {
		sandbox_set_state(s, SANDBOX_IDLE);
		if (s->restless && v->waiters == NULL)
			freezer_freeze(s);
	}
	serve_queue(v);
	if (v->waiters != NULL)
		supply_now();
	return true;
}

/*
 * A newer version is current, or the function was deleted: idle and kept sandboxes are removed, waiting requests look the
 * function up again.
 */
static void on_stale(struct version *v)
{
	struct sandbox *s, *next_sandbox;
	struct waiter *w, *next;

	serve_recall(v);
	while (v->idle != NULL)
		sandbox_kill(v->idle, COUNT_KILL_STALE);
	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_WARMING], s, next_sandbox)
		if (s->version == v)
			sandbox_kill(s, COUNT_KILL_STALE);
	DL_FOREACH_SAFE (v->waiters, w, next) {
		if (w->ref != NULL) {
			waiter_leave_queue(w);
			start_resolving(w);
		}
	}
}

void pool_recall_all(void)
{
	const struct sandbox *s;

	DL_FOREACH (sandbox_lists[SANDBOX_LEASED], s)
		serve_recall(s->version);
}

void pool_invalidate(const char *function_id, int64_t version)
{
	resolve_invalidate(function_id, version, on_stale);
	min_warm_refresh();
	supply_now();
}

/* Notifications are lost while PostgreSQL is unavailable. */
void pool_on_store_connected(void)
{
	resolve_forget_all();
	pool_recall_all();
	min_warm_refresh();
}

void pool_withdraw(struct client *client, uint64_t seq)
{
	struct waiter *w;

	for (w = waiters; w != NULL && (w->client != client || w->seq != seq); w = w->all_next)
		;
	if (w == NULL)
		return;
	/* The lookup goes on. Its worker waits for it, which bounds the number of lookups. */
	if (w->resolving)
		w->withdrawn = true;
	else
		withdraw(w);
}

void pool_client_gone(struct client *client)
{
	struct waiter *w, *next_waiter;
	struct sandbox *s, *next;

	DL_FOREACH_SAFE2 (waiters, w, next_waiter, all_next)
		if (w->client == client)
			waiter_abandon(w);
	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_LEASED], s, next) {
		if (s->holder == client)
			sandbox_kill(s, COUNT_KILL_WORKER_GONE);
	}
}

/* ---- What happens by itself ---- */

void pool_on_spare(struct sandbox *s)
{
	struct shape *shape = s->shape;

	shape_learn_start_time(shape, s->booted_us - s->created_us);
	room_enforce(); /* there may be less room than when it was started; s may be DYING now */
	serve_hungry(shape);
	supply_now();
}

void pool_on_start_failed(struct shape *shape, const char *why)
{
	shape_start_failed(shape, why, clock_mono_us());
	image_check(shape->key.language_version);
	supply_deny_hopeless();
}

void pool_on_gone(void)
{
	supply_now();
}

void pool_on_dead(struct sandbox *s)
{
	postmortem_on_dead(s);
	min_warm_on_dead(s);
}

static void on_package_ready(struct version *v)
{
	serve_queue(v);
	supply_now();
}

static void on_package_failed(struct version *v, const struct err *err)
{
	enum problem_code code = err->code == ENOTCONN ? PROBLEM_STORE_UNAVAILABLE : PROBLEM_RUNTIME_UNAVAILABLE;

	waiter_deny_all(v, code, err->msg, obstacle_retry_after_ms(v));
	min_warm_failed(v, err->msg);
}

void pool_on_engine_down(void)
{
	supply_deny_hopeless();
}

/* Ends sandboxes with egress, leased ones after their invocation. */
static void end_egress(enum counter why)
{
	struct sandbox *s, *next;

	for (int state = 0; state < SANDBOX_DYING; state++) {
		DL_FOREACH_SAFE (sandbox_lists[state], s, next) {
			if (!s->shape->key.egress)
				continue;
			if (state == SANDBOX_LEASED) {
				s->unwanted = why;
				serve_recall(s->version);
			} else {
				sandbox_kill(s, why);
			}
		}
	}
}

static void on_egress_change(bool is_there)
{
	if (is_there) {
		shape_retry_all(); /* some may have been started before the loss was noticed */
	} else {
		end_egress(COUNT_KILL_NO_NETWORK);
		supply_deny_hopeless(); /* waiting requests are answered with the reason */
	}
}

static void deny_concurrency(struct waiter *w, int64_t max_concurrency, int64_t retry_after_ms)
{
	char detail[160];

	snprintf(detail, sizeof(detail),
		 "The function's %lld sandbox%s (max_concurrency) stayed busy for %.3g s; retry later or raise it",
		 (long long)max_concurrency, max_concurrency == 1 ? "" : "es", (double)(clock_mono_us() - w->queued_us) / 1e6);
	waiter_deny(w, PROBLEM_THROTTLED, THROTTLED_FUNCTION_CONCURRENCY, detail, retry_after_ms);
}

static void deny_late(struct waiter *w)
{
	const struct version *v = w->version;
	int64_t retry_after_ms = obstacle_retry_after_ms(v);

	if (v == NULL || v->package != PACKAGE_READY)
		waiter_deny(w, PROBLEM_STORE_UNAVAILABLE, THROTTLED_NONE,
			    "The function could not be fetched from PostgreSQL in time", retry_after_ms);
	else if (v->live >= v->spec->max_concurrency)
		deny_concurrency(w, v->spec->max_concurrency, retry_after_ms);
	else if (v->shape->problem[0] != '\0')
		waiter_deny(w, PROBLEM_RUNTIME_UNAVAILABLE, THROTTLED_NONE, v->shape->problem, retry_after_ms);
	else
		waiter_deny(w, PROBLEM_OVERLOADED, THROTTLED_NONE, "No sandbox was free in time", retry_after_ms);
}

/* Requests that have waited too long for a busy sandbox get a spare after all. */
static void serve_late(void)
{
	struct shape *shape;

	DL_FOREACH (shapes, shape)
		serve_hungry(shape);
}

static void check_deadlines(int64_t now_us)
{
	struct waiter *w, *next;

	DL_FOREACH_SAFE2 (waiters, w, next, all_next) {
		if (now_us >= w->deadline_us && w->client != NULL)
			deny_late(w);
	}
}

void pool_tick(int64_t now_us)
{
	check_deadlines(now_us);
	egress_tick(now_us);
	serve_late();
	demand_tick();
	postmortem_tick(now_us);
	warmup_tick(now_us);
	min_warm_tick(now_us);
	room_tick(now_us);
	boot_tick(now_us);
	freezer_tick(now_us);
	sandbox_tick(now_us);
	renewal_tick(now_us);
	supply_tick(now_us);
}

bool pool_is_settled(void)
{
	static const enum sandbox_state on_its_way[] = {SANDBOX_CREATING, SANDBOX_BOOTING, SANDBOX_WARMING};

	for (size_t i = 0; i < ARRAY_SIZE(on_its_way); i++)
		if (sandbox_counts[on_its_way[i]] > 0)
			return false;
	return true;
}

void pool_stop(void)
{
	struct waiter *w, *next_waiter;
	struct sandbox *s, *next;

	stopping = true;
	supply_stop();
	DL_FOREACH_SAFE2 (waiters, w, next_waiter, all_next)
		waiter_deny(w, PROBLEM_DRAINING, THROTTLED_NONE, "This node is stopping", DRAINING_RETRY_MS);
	for (int state = 0; state < SANDBOX_DYING; state++)
		DL_FOREACH_SAFE (sandbox_lists[state], s, next)
			if (state != SANDBOX_LEASED) /* pool_release kills it */
				sandbox_kill(s, COUNT_KILL_STOPPING);
	pool_recall_all();
}

void pool_revoke(void)
{
	struct sandbox *s, *next;

	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_LEASED], s, next)
		sandbox_kill(s, COUNT_KILL_REVOKED);
}

int pool_waiting(void)
{
	return waiter_count;
}

void pool_init(uv_loop_t *loop, const struct conf *c, struct docker *docker)
{
	static const struct fetch_hooks fetch_hooks = {on_package_ready, on_package_failed};

	fetch_init(&fetch_hooks);
	obstacle_init(docker);
	egress_init(c, on_egress_change);
	serve_init(min_warm_failed);
	supply_init(docker);
	warmup_init(loop, min_warm_on_warm);
	pool_set_conf(c);
}

void pool_set_conf(const struct conf *c)
{
	bool other_ca_file = conf != NULL && strcmp(conf->sandbox_ca_file, c->sandbox_ca_file) != 0;

	conf = c;
	if (other_ca_file) {
		end_egress(COUNT_KILL_CA_FILE);
		shape_retry_all(); /* the file may be the reason why some could not be started */
	}
	demand_set_conf(c);
	min_warm_set_conf(c);
	room_set_conf(c);
	serve_set_conf(c);
	supply_set_conf(c);
}
