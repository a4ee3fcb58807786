#include "poolmgr/sandbox/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/node/directory.h"
#include "poolmgr/node/uid.h"
#include "poolmgr/sandbox/bill.h"

#define SETTLE_US             1000000 /* a sandbox that ends sooner without having served counts as a failed start */
#define LEAST_BILLED_US       1000    /* less processor time is not recorded */
#define REMOVE_RETRY_FIRST_US 100000
#define REMOVE_RETRY_MOST_US  10000000

struct sandbox *sandbox_lists[SANDBOX_STATE_COUNT];
int sandbox_counts[SANDBOX_STATE_COUNT];
int64_t sandbox_memory_mb[SANDBOX_STATE_COUNT];

static uv_loop_t *loop;
static struct docker *docker;
static struct sandbox_hooks hooks;
static struct sandbox *by_id;

/* ---- States ---- */

#define TO(state) (1u << SANDBOX_##state)

static const struct {
	const char *name;
	unsigned to; /* mask of states that may follow */
} states[SANDBOX_STATE_COUNT] = {
	[SANDBOX_CREATING] = {"creating", TO(BOOTING) | TO(DYING)},
	[SANDBOX_BOOTING] = {"booting", TO(SPARE) | TO(DYING)},
	[SANDBOX_SPARE] = {"spare", TO(ASSIGNED) | TO(DYING)},
	[SANDBOX_ASSIGNED] = {"assigned", TO(WARMING) | TO(LEASED) | TO(IDLE) | TO(DYING)},
	[SANDBOX_WARMING] = {"warming", TO(IDLE) | TO(DYING)},
	[SANDBOX_LEASED] = {"leased", TO(IDLE) | TO(DYING)},
	[SANDBOX_IDLE] = {"idle", TO(LEASED) | TO(DYING)},
	[SANDBOX_DYING] = {"dying", TO(GONE)},
	[SANDBOX_GONE] = {"gone", 0},
};

const char *sandbox_state_name(enum sandbox_state state)
{
	return states[state].name;
}

/* Whether it will serve its version's next request as soon as it can. */
static bool is_coming(enum sandbox_state state)
{
	return state == SANDBOX_ASSIGNED || state == SANDBOX_WARMING;
}

static bool is_live(enum sandbox_state state)
{
	return is_coming(state) || state == SANDBOX_LEASED || state == SANDBOX_IDLE;
}

bool sandbox_is_starting(const struct sandbox *s)
{
	return s->state == SANDBOX_CREATING || s->state == SANDBOX_BOOTING;
}

/* Adds the sandbox to (+1), or removes it from (-1), all counts and lists of its state. */
static void count(struct sandbox *s, int by)
{
	sandbox_counts[s->state] += by;
	sandbox_memory_mb[s->state] += by * shape_memory_mb(s->shape);
	if (sandbox_is_starting(s))
		s->shape->starting += by;
	if (is_live(s->state))
		s->version->live += by;
	if (is_coming(s->state))
		s->version->coming += by;
	if (s->state == SANDBOX_SPARE)
		s->shape->spare_count += by;
}

static void leave_state(struct sandbox *s)
{
	count(s, -1);
	DL_DELETE(sandbox_lists[s->state], s);
	if (s->state == SANDBOX_SPARE)
		DL_DELETE2(s->shape->spares, s, peer_prev, peer_next);
	if (s->state == SANDBOX_IDLE)
		DL_DELETE2(s->version->idle, s, peer_prev, peer_next);
	if (s->state == SANDBOX_LEASED)
		DL_DELETE2(s->version->leased, s, peer_prev, peer_next);
}

static void enter_state(struct sandbox *s, enum sandbox_state state)
{
	s->state = state;
	s->since_us = clock_mono_us();
	count(s, +1);
	DL_APPEND(sandbox_lists[state], s);
	if (state == SANDBOX_SPARE)
		DL_APPEND2(s->shape->spares, s, peer_prev, peer_next);
	if (state == SANDBOX_IDLE)
		DL_PREPEND2(s->version->idle, s, peer_prev, peer_next);
	if (state == SANDBOX_LEASED)
		DL_APPEND2(s->version->leased, s, peer_prev, peer_next);
}

/*
 * HELLO alone does not end the back-off of its shape, because a sandbox that ends right after it would be restarted forever.
 * Neither does a sandbox that is older than the failure.
 */
static void prove_good(const struct sandbox *s)
{
	if (s->shape->failures > 0 && s->created_us >= s->shape->failed_us)
		shape_start_succeeded(s->shape);
}

void sandbox_set_state(struct sandbox *s, enum sandbox_state state)
{
	assert((states[s->state].to & (1u << state)) != 0);
	assert(!is_live(state) || s->version != NULL);
	if ((s->state == SANDBOX_LEASED || s->state == SANDBOX_WARMING) && state == SANDBOX_IDLE) /* it has worked */
		prove_good(s);
	if (state == SANDBOX_IDLE && s->state != SANDBOX_LEASED) /* otherwise its worker has reported it */
		s->cpu_read_us = cgroup_cpu_us(s->cgroup.fds[CGROUP_CPU]);
	leave_state(s);
	enter_state(s, state);
	if (state == SANDBOX_IDLE) {
		s->cpu_seen_us = s->cpu_read_us;
		s->cpu_look_us = s->since_us;
	}
	if (state == SANDBOX_ASSIGNED || state == SANDBOX_LEASED)
		cgroup_thaw(&s->cgroup);
}

int sandbox_total(void)
{
	int total = 0;

	for (int i = 0; i < SANDBOX_GONE; i++)
		total += sandbox_counts[i];
	return total;
}

int64_t sandbox_total_memory_mb(void)
{
	int64_t total = 0;

	for (int i = 0; i < SANDBOX_GONE; i++)
		total += sandbox_memory_mb[i];
	return total;
}

struct sandbox *sandbox_find(const char *id)
{
	struct sandbox *s;

	HASH_FIND_STR(by_id, id, s);
	return s;
}

struct sandbox *sandbox_new(struct shape *shape)
{
	struct sandbox *s = mem_alloc(sizeof(*s));
	unsigned char random[(SANDBOX_ID_SIZE - 1) / 2];

	randombytes_buf(random, sizeof(random));
	sodium_bin2hex(s->id, sizeof(s->id), random, sizeof(random));
	s->created_us = clock_mono_us();
	s->uid = uid_take();
	s->shape = shape;
	shape->users++;
	s->exit_code = -1;
	s->cpu_read_us = -1;
	s->cgroup = CGROUP_NONE;
	s->dir_fd = s->control_listener = s->log_listener = s->control_fd = s->log_fd = s->error_log_fd = s->end_fd = -1;
	HASH_ADD_STR(by_id, id, s);
	enter_state(s, SANDBOX_CREATING);
	return s;
}

/* ---- The end ---- */

static void drop_sockets(struct sandbox *s)
{
	watch_free(&s->control_watch);
	watch_free(&s->log_watch);
	watch_free(&s->error_log_watch);
	watch_free(&s->end_watch);
	fd_close(&s->control_listener);
	fd_close(&s->log_listener);
	fd_close(&s->control_fd);
	fd_close(&s->log_fd);
	fd_close(&s->error_log_fd);
	fd_close(&s->end_fd);
	buf_free(&s->in);
	loaded_free(&s->loaded);
}

static void on_directory_removed(bool removed, void *arg)
{
	struct sandbox *s = arg;

	(void)removed; /* the next reconciliation finds it */
	sandbox_set_state(s, SANDBOX_GONE);
	leave_state(s);
	HASH_DEL(by_id, s);
	uid_give_back(s->uid);
	fd_close(&s->dir_fd);
	s->shape->users--;
	free(s);
	hooks.gone();
}

static void on_container_removed(const struct err *err, void *arg)
{
	struct sandbox *s = arg;

	if (err == NULL) {
		directory_remove(s->id, on_directory_removed, s);
		return;
	}
	int64_t pause_us = REMOVE_RETRY_FIRST_US << MIN(s->remove_failures, 10);
	if (s->remove_failures++ == 0)
		log_sandbox(LOG_WARN, s->id, "will be removed later: %s", err->msg);
	s->remove_retry_us = clock_mono_us() + MIN(pause_us, REMOVE_RETRY_MOST_US);
}

static void remove_container(struct sandbox *s)
{
	s->remove_retry_us = docker_is_up(docker) ? 0 : clock_mono_us();
	if (s->remove_retry_us != 0)
		return; /* sandbox_tick does it when it is due */
	docker_remove(docker, s->id, on_container_removed, s);
}

int64_t sandbox_background_us(struct sandbox *s)
{
	s->cpu_seen_us = MAX(s->cpu_seen_us, cgroup_cpu_us(s->cgroup.fds[CGROUP_CPU]));
	return s->cpu_read_us >= 0 ? MAX(s->cpu_seen_us - s->cpu_read_us, 0) : 0;
}

/* Not for a leased sandbox, because its worker records that. */
static void bill_the_rest(struct sandbox *s)
{
	bool worker_has_it = s->state == SANDBOX_LEASED && s->holder != NULL;

	if (s->version == NULL || s->version->candidate || worker_has_it)
		return;
	int64_t used_us = sandbox_background_us(s);
	if (used_us >= LEAST_BILLED_US)
		bill_add(s->version, used_us);
}

static void hear_end(struct sandbox *s)
{
	unsigned char code;

	if (s->exit_code < 0 && s->end_fd >= 0 && recv(s->end_fd, &code, sizeof(code), MSG_DONTWAIT) == 1)
		s->exit_code = code;
}

/* Tells the sandbox that takes its place how it ended, if it ended by itself after it had answered. */
static void leave_cause(struct sandbox *s, enum counter why)
{
	char id[UUID_TEXT_SIZE], how[40] = "ended";

	if ((why != COUNT_KILL_ENDED && why != COUNT_KILL_EXITED_IDLE) || s->version == NULL || !late_has_run(&s->late))
		return;
	hear_end(s);
	uuid_format(&s->late.id, id);
	if (s->exit_code > 128)
		snprintf(how, sizeof(how), "was ended by signal %d", s->exit_code - 128);
	else if (s->exit_code >= 0)
		snprintf(how, sizeof(how), "exited with code %d", s->exit_code);
	snprintf(s->version->start_cause, sizeof(s->version->start_cause),
		 "The sandbox before %s after it had answered invocation %s", how, id);
}

void sandbox_read_late(struct sandbox *s)
{
	if (s->version != NULL)
		late_read(&s->late, s->version, s->log_fd, s->error_log_fd);
}

void sandbox_kill(struct sandbox *s, enum counter why)
{
	struct version *version = s->version;

	if (s->state == SANDBOX_DYING || s->state == SANDBOX_GONE)
		return;
	log_sandbox(LOG_DEBUG, s->id, "%s → dying: %s", sandbox_state_name(s->state), counter_rows[why].text);
	counters[why]++;
	bill_the_rest(s);
	leave_cause(s, why);
	if (s->holder == NULL)
		sandbox_read_late(s);
	sandbox_set_state(s, SANDBOX_DYING);
	s->holder = NULL;
	s->version = NULL;
	version_unref(&version);
	drop_sockets(s);
	cgroup_kill(&s->cgroup);
	cgroup_close(&s->cgroup);
	if (s->holds == 0)
		remove_container(s);
}

void sandbox_hold(struct sandbox *s)
{
	s->holds++;
}

void sandbox_release_hold(struct sandbox *s)
{
	assert(s->holds > 0);
	if (--s->holds == 0 && s->state == SANDBOX_DYING)
		remove_container(s);
}

/* ---- What happens to it ---- */

void sandbox_fail_start(struct sandbox *s, const char *why)
{
	struct shape *shape = s->shape;
	bool counts = s->created_us >= shape->failed_us;

	log_sandbox(LOG_WARN, s->id, "did not start (%s): %s", shape->name, why);
	sandbox_kill(s, COUNT_START_FAILED);
	if (counts)
		hooks.start_failed(shape, why);
}

void sandbox_is_up(struct sandbox *s)
{
	sandbox_set_state(s, SANDBOX_SPARE);
	s->booted_us = s->since_us;
	log_sandbox(LOG_DEBUG, s->id, "ready after %lld ms (%s)", (long long)(s->booted_us - s->created_us) / 1000,
		    s->shape->name);
	hooks.spare(s);
}

void sandbox_died(struct sandbox *s, int exit_code)
{
	if (s->state == SANDBOX_DYING || s->state == SANDBOX_GONE)
		return;
	docker_doubt(docker);            /* an engine that stops ends all containers */
	if (s->state == SANDBOX_WARMING) /* its socket reports this as well, after the last data */
		return;
	if (exit_code >= 0)
		s->exit_code = exit_code;
	if (s->state == SANDBOX_LEASED) {
		/* Not killed, because its worker may still have a result to read. */
		s->dead = true;
		watch_free(&s->control_watch);
		hooks.dead(s);
		return;
	}
	if (sandbox_is_starting(s)) {
		sandbox_fail_start(s, "the container ended before its agent was ready");
	} else if (s->state == SANDBOX_IDLE) {
		hooks.dead(s);
		sandbox_kill(s, COUNT_KILL_ENDED);
	} else if (clock_mono_us() - s->booted_us < SETTLE_US) { /* the sandbox never served */
		sandbox_fail_start(s, "the sandbox ended right after it started");
	} else {
		sandbox_kill(s, COUNT_KILL_ENDED);
	}
}

/*
 * Idle sandboxes may be frozen and cannot end by themselves. A leased one is not frozen, and continues if it survives the
 * signal.
 */
void sandbox_signalled(struct sandbox *s)
{
	if (s->state == SANDBOX_SPARE || s->state == SANDBOX_IDLE)
		sandbox_died(s, -1);
}

static void on_disconnect(int events, void *arg)
{
	(void)events;
	sandbox_died(arg, -1);
}

/* The launcher has reported the exit code, or has ended without a report. */
static void on_end(int events, void *arg)
{
	struct sandbox *s = arg;
	unsigned char code;

	(void)events;
	ssize_t n = recv(s->end_fd, &code, sizeof(code), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	watch_free(&s->end_watch);
	s->launcher_gone = true;
	sandbox_died(s, n == 1 ? code : -1);
}

void sandbox_watch_end(struct sandbox *s)
{
	buf_free(&s->in);
	watch_free(&s->log_watch);
	watch_free(&s->error_log_watch);
	watch_free(&s->control_watch);
	s->control_watch = watch_new(loop, s->control_fd, UV_DISCONNECT, on_disconnect, s);
	if (s->end_watch == NULL && !s->launcher_gone)
		s->end_watch = watch_new(loop, s->end_fd, UV_READABLE | UV_DISCONNECT, on_end, s);
}

static void prove_settled(enum sandbox_state state, int64_t now_us)
{
	const struct sandbox *s;

	DL_FOREACH (sandbox_lists[state], s)
		if (!s->dead && now_us - s->booted_us >= SETTLE_US)
			prove_good(s);
}

void sandbox_tick(int64_t now_us)
{
	struct sandbox *s, *next;

	prove_settled(SANDBOX_SPARE, now_us);
	prove_settled(SANDBOX_LEASED, now_us);
	cgroup_tick(now_us);
	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_DYING], s, next) {
		if (s->remove_retry_us != 0 && now_us >= s->remove_retry_us && docker_is_up(docker))
			remove_container(s);
	}
}

int sandbox_init(uv_loop_t *l, const struct conf *conf, struct docker *d, const struct sandbox_hooks *h, struct err *err)
{
	loop = l;
	docker = d;
	hooks = *h;
	return uid_init(conf, err);
}
