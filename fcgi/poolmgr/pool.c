#include "poolmgr/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/autopsy.h"
#include "poolmgr/package.h"
#include "poolmgr/resolve.h"
#include "poolmgr/sandbox.h"
#include "poolmgr/store.h"
#include "poolmgr/waiter.h"

static const struct conf *conf;
static struct docker *docker;
static uint64_t next_lease_id;
static bool stopping;
static int null_fd; /* in place of the files of a cgroup that is not open */

/*
 * When the sandboxes a version has will come free soon enough, waiting for one is better than taking another: starting a
 * container costs some hundred milliseconds and most of a core, assigning a spare some milliseconds, and then the spare is
 * replaced.
 */
#define SPARE_WORTH_US 20000
#define START_WORTH_US 100000

/* Who has waited that long in spite of the forecast gets another sandbox: perhaps all there are busy with something slow. */
#define LATE_US 100000

/*
 * Workers keep the sandbox of a function that is called again and again. When several have to share one, it wanders between
 * them, which costs more than the invocation. So many collisions in a tick or two are worth one sandbox more, until each worker
 * that may accept requests at a time (invoke.turns) has one.
 */
#define COLLISIONS_WORTH 8

static void schedule(struct version *v);
static void top_up(bool with_spares);
static void deny_if_hopeless(struct version *v);
static void want_package(struct version *v);

/* ---- Being answered ---- */

static enum ipc_start_kind start_kind(const struct sandbox *s, const struct waiter *w)
{
	if (s->initialised)
		return IPC_START_WARM;
	return s->created_us <= w->queued_us ? IPC_START_PREWARMED : IPC_START_COLD;
}

static bool is_single_use(const struct version *v)
{
	return strcmp(v->spec->isolation, "per_invocation") == 0;
}

static int file_of(const struct sandbox *s, enum cgroup_fd file)
{
	return cgroup_is_open(&s->cgroup) ? s->cgroup.fds[file] : null_fd;
}

/* Hands the sandbox to whoever waits the longest. */
static void grant(struct version *v, struct sandbox *s)
{
	struct waiter *w = v->waiters;
	struct ipc_msg m = {
		.type = IPC_GRANT,
		.fds = {s->control_fd, s->log_fd, file_of(s, CGROUP_CPU), file_of(s, CGROUP_MEMORY), file_of(s, CGROUP_OOM)}};

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
		.single_use = is_single_use(v),
		.runtime = STR(v->spec->runtime),
		.init = s->initialised ? (struct str){"", 0} : STR(v->init),
	};
	s->initialised = true; /* or it is not given back as reusable */
	s->recalled = false;
	s->autopsy_seq = 0; /* an earlier holder's */
	s->autopsy_us = 0;
	sandbox_set_state(s, SANDBOX_LEASED);
	client_send(w->client, &m);
	waiter_free(w);
}

/* ---- Assigning a spare to a version ---- */

static void use_linked(struct sandbox *s, const struct err *err)
{
	AUTO(version_unref) struct version *v = version_ref(s->version);

	if (err != NULL) {
		log_sandbox(LOG_ERROR, s->id, "%s: %s", v->key, err->msg);
		sandbox_kill(s, "its function's files could not be linked");
		v->package = PACKAGE_UNKNOWN;
		if (package_is_unpacked(v->spec->package_sha256))
			waiter_deny_all(v, "runtime_unavailable", err->msg, 1000);
		else /* another poolmgr has made room in the cache, or somebody cleared it */
			want_package(v);
		return;
	}
	if (v->waiters != NULL)
		grant(v, s);
	else if (v->stale)
		sandbox_kill(s, "a newer version is current");
	else
		sandbox_set_state(s, SANDBOX_IDLE);
	schedule(v);
}

static void on_linked(const struct err *err, void *arg)
{
	struct sandbox *s = arg;

	if (s->state == SANDBOX_ASSIGNED) /* else it was killed meanwhile */
		use_linked(s, err);
	sandbox_release_hold(s);
}

static void assign(struct version *v, struct sandbox *s)
{
	s->version = version_ref(v);
	sandbox_set_state(s, SANDBOX_ASSIGNED);
	sandbox_hold(s);
	package_link(v->spec->package_sha256, s->dir_fd, on_linked, s);
}

static bool may_have_more(const struct version *v)
{
	return v->live < v->spec->max_concurrency;
}

/*
 * How many more sandboxes the version's queue is worth, when getting one costs as much as waiting for cost_us: one for each
 * request that would have to wait longer, going by how long an invocation takes, or is late already. A function not known yet
 * is taken for a fast one: it is found out soon enough, and starting too many containers at once slows down everybody.
 */
static int shortage(const struct version *v, int64_t cost_us)
{
	int64_t now_us = clock_mono_us();
	int64_t usual_us = v->usual_us > 0 ? v->usual_us : SPARE_WORTH_US;
	int64_t served_in_time = is_single_use(v) ? 0 : MAX(v->live, 1) * cost_us / usual_us;
	const struct waiter *w;
	int late = 0;

	for (w = v->waiters; w != NULL && now_us - w->queued_us >= LATE_US; w = w->next)
		late++;
	int more = MAX((int)MAX(0, v->waiting - served_in_time), late);
	if (v->waiting > 0 && (v->live == 0 || (v->collisions >= COLLISIONS_WORTH && v->live < conf_turns(conf))))
		more = MAX(more, 1);
	return MAX(0, MIN(more - v->assigning, (int)v->spec->max_concurrency - v->live));
}

/* The workers that have a sandbox of this version give it back as soon as no invocation runs in it. */
static void recall(struct version *v)
{
	struct sandbox *s;

	DL_FOREACH2 (v->leased, s, peer_next) {
		struct ipc_msg m = {.type = IPC_RECALL, .recall.lease_id = s->lease_id};
		if (!s->recalled)
			client_send(s->holder, &m);
		s->recalled = true;
	}
}

/* Serves the version's queue as far as idle sandboxes and spares go; those that are only kept by a worker will follow. */
static void schedule(struct version *v)
{
	while (v->waiters != NULL && v->idle != NULL)
		grant(v, v->idle);
	if (v->waiters != NULL)
		recall(v);
	if (v->package != PACKAGE_READY || stopping)
		return;
	while (v->shape->spares != NULL && shortage(v, SPARE_WORTH_US) > 0) {
		v->collisions = 0;
		assign(v, v->shape->spares);
	}
}

/* Gives one of the shape's spares to the version whose turn it is; false when there is no spare or nobody may have it. */
static bool serve_one_hungry(struct shape *shape)
{
	struct version *v;

	if (shape->spares == NULL || stopping)
		return false;
	DL_FOREACH2 (shape->hungry, v, hungry_next) {
		if (v->package != PACKAGE_READY || shortage(v, SPARE_WORTH_US) == 0)
			continue;
		DL_DELETE2(shape->hungry, v, hungry_prev, hungry_next);
		DL_APPEND2(shape->hungry, v, hungry_prev, hungry_next);
		v->collisions = 0;
		assign(v, shape->spares);
		return true;
	}
	return false;
}

/* ---- How many sandboxes there should be ---- */

/* How many sandboxes should be started for the waiting of this shape. */
static int demand(const struct shape *shape)
{
	const struct version *v;
	int total = 0;

	DL_FOREACH2 (shape->hungry, v, hungry_next)
		total += shortage(v, START_WORTH_US);
	return total;
}

/* With the node full, the longest idle goes, or else a spare nobody waits for. */
static void make_room(const struct shape *needy)
{
	struct shape *shape;

	if (sandbox_lists[SANDBOX_IDLE] != NULL) {
		sandbox_kill(sandbox_lists[SANDBOX_IDLE], "evicted: the node is full");
		return;
	}
	DL_FOREACH (shapes, shape)
		if (shape != needy && shape->spares != NULL && shape->hungry == NULL) {
			sandbox_kill(shape->spares, "evicted: the node is full");
			return;
		}
}

/* What Docker Engine does not have for sandboxes of this shape, and what to do about it; NULL: nothing. */
static const char *engine_lacks(const struct shape *shape)
{
	if (!docker_offers(docker, shape->key.driver))
		return shape->key.driver->missing;
	if (shape->key.egress && !docker_has_egress(docker))
		return "the network for egress is not there: run scripts/egress up on this node";
	return NULL;
}

/* Starts what the shape lacks; with_spares: the waiting first, everywhere, then the spares. */
static void top_up_shape(struct shape *shape, bool with_spares, int64_t now_us)
{
	struct version *v, *next;

	if (engine_lacks(shape) != NULL) {
		DL_FOREACH_SAFE2 (shape->hungry, v, next, hungry_next)
			deny_if_hopeless(v);
		return;
	}
	int need = demand(shape);
	int wanted = need + (with_spares ? shape_spares_wanted(shape, now_us) : 0);

	while (shape->spare_count + shape->starting < wanted && now_us >= shape->retry_us) {
		if (sandbox_counts[SANDBOX_CREATING] + sandbox_counts[SANDBOX_BOOTING] >= conf->pool_max_starts)
			return;
		if (sandbox_total() >= conf->pool_max_sandboxes) {
			if (need > shape->spare_count + shape->starting + sandbox_counts[SANDBOX_DYING])
				make_room(shape);
			return;
		}
		sandbox_create(shape);
	}
}

/*
 * Spares are made good at the next tick only: starting a container takes most of a core for a while, and the request that just
 * took a spare is better off without that.
 */
static void top_up(bool with_spares)
{
	static bool running; /* a start that fails at once comes back here */
	struct shape *shape;
	int64_t now_us = clock_mono_us();

	if (running || stopping || !docker_is_up(docker))
		return;
	running = true;
	DL_FOREACH (shapes, shape)
		top_up_shape(shape, false, now_us);
	if (with_spares)
		DL_FOREACH (shapes, shape)
			top_up_shape(shape, true, now_us);
	running = false;
	if (shapes != NULL) { /* another one is first next time */
		shape = shapes;
		DL_DELETE(shapes, shape);
		DL_APPEND(shapes, shape);
	}
}

/* Waiting is of no use when nothing runs this version and nothing can be started: says so at once. */
static void deny_if_hopeless(struct version *v)
{
	struct shape *shape = v->shape;
	bool engine_down = !docker_is_up(docker) && !docker_is_unknown(docker);

	if (v->live > 0 || shape->spares != NULL)
		return;
	if (engine_down)
		waiter_deny_all(v, "runtime_unavailable", docker_problem(docker), 2000);
	else if (docker_is_up(docker) && engine_lacks(shape) != NULL)
		waiter_deny_all(v, "runtime_unavailable", engine_lacks(shape), 30000);
	else if (shape->failures > 1 && shape->starting == 0)
		waiter_deny_all(v, "runtime_unavailable", shape->problem,
				MAX(1000, (shape->retry_us - clock_mono_us()) / 1000));
}

/* ---- The package of a version ---- */

static void package_failed(struct version *v, const struct err *err)
{
	v->package = PACKAGE_UNKNOWN;
	log_error("%s: %s", v->key, err->msg);
	waiter_deny_all(v, err->code == ENOTCONN ? "store_unavailable" : "runtime_unavailable", err->msg, 1000);
}

/* arg is a reference to the version. */
static void on_unpacked(const struct err *err, void *arg)
{
	AUTO(version_unref) struct version *v = arg;

	if (err != NULL) {
		package_failed(v, err);
		return;
	}
	v->package = PACKAGE_READY;
	schedule(v);
	top_up(false);
}

static void on_package_fetched(const struct err *err, const char *data, size_t len, void *arg)
{
	struct version *v = arg;
	struct err missing;

	if (err == NULL && data == NULL) {
		err_set(&missing, ENOENT, "the package %.16s… is not stored", v->spec->package_sha256);
		err = &missing;
	}
	if (err != NULL) {
		package_failed(v, err);
		version_unref(&v);
		return;
	}
	void *copy = mem_alloc(len);
	memcpy(copy, data, len);
	package_unpack(v->spec->package_sha256, copy, len, on_unpacked, v);
}

static void want_package(struct version *v)
{
	if (v->package != PACKAGE_UNKNOWN)
		return;
	if (package_is_unpacked(v->spec->package_sha256)) {
		v->package = PACKAGE_READY;
		return;
	}
	v->package = PACKAGE_COMING;
	store_package(v->spec->package_sha256, on_package_fetched, version_ref(v));
}

/* ---- Requests ---- */

static void enqueue(struct waiter *w, struct version *v)
{
	waiter_join_queue(w, v);
	v->shape->used_us = w->queued_us;
	if (v->waiting > conf->pool_queue_length) {
		waiter_deny(w, "throttled", "queue_full", "too many requests wait for this function", 1000);
		return;
	}
	AUTO(version_unref) struct version *held = version_ref(v);
	if (v->idle == NULL)
		v->collisions++;
	schedule(held);
	if (held->waiters == NULL)
		return;
	top_up(false);
	deny_if_hopeless(held);
}

static void on_resolved(const struct err *err, struct version *v, void *arg)
{
	struct waiter *w = arg;

	w->resolving = false;
	if (w->client == NULL) {
		waiter_free(w); /* answered meanwhile, or nobody is there to be */
	} else if (clock_mono_us() > w->deadline_us) {
		waiter_deny(w, "overloaded", "", "no time was left once the function was known", 1000);
	} else if (err != NULL) {
		waiter_deny(w, err->code == ENOTCONN ? "store_unavailable" : "runtime_unavailable", "", err->msg, 1000);
	} else if (v == NULL) {
		waiter_deny(w, "not_found", "", "", 0);
	} else {
		if (w->number != 0)
			v->stale = false; /* asked for by its number, it is worth keeping */
		want_package(v);
		enqueue(w, v);
	}
}

static void start_resolving(struct waiter *w)
{
	w->resolving = true;
	resolve(w->ref, w->number, on_resolved, w);
}

void pool_lease(struct client *client, const struct ipc_lease *r)
{
	struct waiter *w = waiter_new(client, r->seq, r->deadline_us, r->request_id);

	w->ref = mem_strndup(r->function.data, r->function.len);
	w->number = r->version;
	if (stopping)
		waiter_deny(w, "draining", "", "this node is stopping", 1000);
	else
		start_resolving(w);
}

/* The whole of a memfd, malloc'ed. */
static int read_archive(int fd, void **data, size_t *len, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 || st.st_size > conf->limits_package_bytes)
		return err_set(err, EINVAL, "a package of %lld bytes", (long long)st.st_size);
	AUTO(mem_free) char *bytes = mem_alloc((size_t)st.st_size);
	for (off_t have = 0; have < st.st_size;) { /* not mapped: who sent it may still make it shorter */
		ssize_t n = pread(fd, bytes + have, (size_t)(st.st_size - have), have);
		if (n <= 0)
			return err_set(err, n < 0 ? errno : EINVAL, "read the package");
		have += n;
	}
	*len = (size_t)st.st_size;
	*data = TAKE_PTR(bytes);
	return 0;
}

static int check_version(const struct ipc_check *r, int archive_fd, struct version **version, struct err *err)
{
	AUTO(version_unref) struct version *v = NULL;
	struct spec *spec;
	void *archive = NULL;
	size_t len = 0;

	if (spec_from_text(r->spec.data, r->spec.len, &spec, err) < 0 || version_candidate_new(spec, &v, err) < 0)
		return -1;
	if (package_is_unpacked(v->spec->package_sha256)) {
		v->package = PACKAGE_READY;
	} else {
		if (read_archive(archive_fd, &archive, &len, err) < 0)
			return -1;
		v->package = PACKAGE_COMING;
		package_unpack(v->spec->package_sha256, archive, len, on_unpacked, version_ref(v));
	}
	*version = TAKE_PTR(v);
	return 0;
}

void pool_check(struct client *client, const struct ipc_check *r, int archive_fd)
{
	struct waiter *w = waiter_new(client, r->seq, r->deadline_us, r->request_id);
	AUTO(version_unref) struct version *v = NULL;
	struct err err;

	if (stopping)
		waiter_deny(w, "draining", "", "this node is stopping", 1000);
	else if (check_version(r, archive_fd, &v, &err) < 0)
		waiter_deny(w, "runtime_unavailable", "", err.msg, 1000);
	else
		enqueue(w, v);
}

struct sandbox *pool_find_lease(const struct client *client, uint64_t lease_id)
{
	struct sandbox *s;

	DL_FOREACH (sandbox_lists[SANDBOX_LEASED], s)
		if (s->lease_id == lease_id && s->holder == client)
			return s;
	return NULL;
}

/* Follows faster downwards: a function's first calls take longer than the rest. */
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
	char why[80];

	if (s == NULL)
		return false;
	AUTO(version_unref) struct version *v = version_ref(s->version);
	if (!v->candidate)
		learn_usual_time(v, r);
	s->holder = NULL;
	bool used_up = is_single_use(v) && r->runs > 0;
	if (r->destroy || s->dead || v->stale || used_up || stopping) {
		snprintf(why, sizeof(why), "%.*s", (int)MIN(r->reason.len, 64u), r->reason.data);
		sandbox_kill(s, r->destroy ? why
				: s->dead  ? "it ended"
				: v->stale ? "a newer version is current"
				: used_up  ? "it serves one invocation"
					   : "stopping");
	} else {
		sandbox_set_state(s, SANDBOX_IDLE);
	}
	schedule(v);
	if (v->waiters != NULL)
		top_up(false);
	return true;
}

/* A newer version is current, or none: what is idle or kept goes, who waits looks again. */
static void on_stale(struct version *v)
{
	struct waiter *w, *next;

	recall(v);
	while (v->idle != NULL)
		sandbox_kill(v->idle, "a newer version is current");
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
		recall(s->version);
}

void pool_invalidate(const char *function_id, int64_t version)
{
	resolve_invalidate(function_id, version, on_stale);
	top_up(false);
}

void pool_client_gone(struct client *client)
{
	struct waiter *w, *next_waiter;
	struct sandbox *s, *next;

	DL_FOREACH_SAFE2 (waiters, w, next_waiter, all_next) {
		if (w->client != client)
			continue;
		w->client = NULL;
		if (!w->resolving)
			waiter_free(w);
	}
	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_LEASED], s, next) {
		if (s->holder == client)
			sandbox_kill(s, "its worker is gone");
	}
}

/* ---- What happens by itself ---- */

void pool_on_spare(struct sandbox *s)
{
	struct shape *shape = s->shape;

	while (serve_one_hungry(shape))
		;
	top_up(false);
}

void pool_on_start_failed(struct shape *shape, const char *why)
{
	struct version *v, *next;

	shape_start_failed(shape, why, clock_mono_us());
	DL_FOREACH_SAFE2 (shape->hungry, v, next, hungry_next)
		deny_if_hopeless(v);
}

void pool_on_gone(void)
{
	top_up(false);
}

void pool_on_engine_down(void)
{
	struct version *v, *next;
	struct shape *shape;

	DL_FOREACH (shapes, shape)
		DL_FOREACH_SAFE2 (shape->hungry, v, next, hungry_next)
			deny_if_hopeless(v);
}

static void deny_late(struct waiter *w)
{
	const struct version *v = w->version;

	if (v == NULL || v->package != PACKAGE_READY)
		waiter_deny(w, "store_unavailable", "", "the function could not be fetched from PostgreSQL in time", 1000);
	else if (!may_have_more(v))
		waiter_deny(w, "throttled", "function_concurrency", "all sandboxes this function may have were busy", 1000);
	else if (v->shape->problem[0] != '\0')
		waiter_deny(w, "runtime_unavailable", "", v->shape->problem, 1000);
	else
		waiter_deny(w, "overloaded", "", "no sandbox was free in time", 1000);
}

/* What has waited too long for a busy sandbox gets a spare after all. */
static void serve_late(void)
{
	struct shape *shape;

	DL_FOREACH (shapes, shape)
		while (serve_one_hungry(shape))
			;
}

static void check_deadlines(int64_t now_us)
{
	struct waiter *w, *next;

	DL_FOREACH_SAFE2 (waiters, w, next, all_next) {
		if (now_us >= w->deadline_us && w->client != NULL)
			deny_late(w);
	}
}

static void forget_collisions(void)
{
	struct version *v, *next;

	HASH_ITER (hh, versions, v, next)
		v->collisions /= 2;
}

static void evict_idle(int64_t now_us)
{
	struct sandbox *s, *next;

	/* The list is in the order they became idle. */
	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_IDLE], s, next) {
		if (now_us - s->since_us < conf->pool_idle_timeout_ms * 1000)
			break;
		sandbox_kill(s, "idle for pool.idle_timeout_ms");
	}
}

static void trim_spares(int64_t now_us)
{
	struct shape *shape, *next;

	DL_FOREACH_SAFE (shapes, shape, next) {
		if (shape->hungry == NULL && shape->spare_count > shape_spares_wanted(shape, now_us))
			sandbox_kill(shape->spares, "more spares than wanted");
		shape_forget_if_unused(shape, now_us);
	}
}

void pool_tick(int64_t now_us)
{
	check_deadlines(now_us);
	serve_late();
	forget_collisions();
	autopsy_tick(now_us);
	evict_idle(now_us);
	trim_spares(now_us);
	sandbox_tick(now_us);
	top_up(true);
}

void pool_stop(void)
{
	struct waiter *w, *next_waiter;
	struct sandbox *s, *next;

	stopping = true;
	DL_FOREACH_SAFE2 (waiters, w, next_waiter, all_next)
		waiter_deny(w, "draining", "", "this node is stopping", 1000);
	for (int state = 0; state < SANDBOX_DYING; state++)
		DL_FOREACH_SAFE (sandbox_lists[state], s, next)
			if (state != SANDBOX_LEASED) /* pool_release does it */
				sandbox_kill(s, "stopping");
	pool_recall_all();
}

void pool_revoke(void)
{
	struct sandbox *s, *next;

	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_LEASED], s, next)
		sandbox_kill(s, "not given back in time");
}

int pool_waiting(void)
{
	const struct waiter *w;
	int n;

	DL_COUNT2(waiters, w, n, all_next);
	return n;
}

void pool_init(const struct conf *c, struct docker *d)
{
	conf = c;
	docker = d;
	/* Ids of an earlier poolmgr's leases do not come again. */
	next_lease_id = (uint64_t)clock_wall_us();
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
}

void pool_set_conf(const struct conf *c)
{
	conf = c;
}
