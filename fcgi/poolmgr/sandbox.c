#include "poolmgr/sandbox.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/frame.h"
#include "poolmgr/tree.h"
#include "poolmgr/uid.h"

#define PROTOCOL              1
#define MAX_HELLO_BYTES       4096
#define SETTLE_US             1000000 /* one that ends sooner without having served has not really started */
#define BREATH_PERIOD_US      20000000
#define BREATH_US             60000 /* a tick at least */
#define REMOVE_RETRY_FIRST_US 100000
#define REMOVE_RETRY_MOST_US  10000000

struct sandbox *sandbox_lists[SANDBOX_STATE_COUNT];
int sandbox_counts[SANDBOX_STATE_COUNT];
int64_t sandbox_memory_mb[SANDBOX_STATE_COUNT];

static uv_loop_t *loop;
static const struct conf *conf;
static struct docker *docker;
static struct sandbox_hooks hooks;
static struct sandbox *by_id;
static int sandboxes_fd = -1; /* <state_dir>/sandboxes */
static char *sandboxes_path;

/* ---- States ---- */

#define TO(state) (1u << SANDBOX_##state)

static const struct {
	const char *name;
	unsigned to; /* states that may follow */
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

/* Will it serve its version's next request as soon as it can? */
static bool is_coming(enum sandbox_state state)
{
	return state == SANDBOX_ASSIGNED || state == SANDBOX_WARMING;
}

static bool is_live(enum sandbox_state state)
{
	return is_coming(state) || state == SANDBOX_LEASED || state == SANDBOX_IDLE;
}

static bool is_starting(enum sandbox_state state)
{
	return state == SANDBOX_CREATING || state == SANDBOX_BOOTING;
}

/* Adds (+1) or takes away (-1) the sandbox from all that counts or lists those in its state. */
static void count(struct sandbox *s, int by)
{
	sandbox_counts[s->state] += by;
	sandbox_memory_mb[s->state] += by * s->shape->key.memory_mb;
	if (is_starting(s->state))
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
 * HELLO alone does not end the back-off of its shape: one that ends right after it would be started anew for ever. Nor does one
 * that is older than what failed.
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
	leave_state(s);
	enter_state(s, state);
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

/* ---- The end ---- */

static void drop_sockets(struct sandbox *s)
{
	watch_free(&s->control_watch);
	watch_free(&s->log_watch);
	watch_free(&s->error_log_watch);
	fd_close(&s->control_listener);
	fd_close(&s->log_listener);
	fd_close(&s->control_fd);
	fd_close(&s->log_fd);
	fd_close(&s->error_log_fd);
	buf_free(&s->in);
}

/* One that no struct sandbox stands for, while it is being removed. */
struct stray {
	char id[SANDBOX_ID_SIZE];
	enum counter what; /* it is counted in */
	bool found;        /* its container is there, or its directory */
	UT_hash_handle hh;
};

static struct stray *strays;

/* The attempt to remove it is over. */
static void stray_end(const char *id, bool removed)
{
	struct stray *stray;

	HASH_FIND_STR(strays, id, stray);
	if (removed && stray->found)
		counters[stray->what]++;
	HASH_DEL(strays, stray);
	free(stray);
}

struct sweep {
	uv_work_t work;
	char id[SANDBOX_ID_SIZE];
	struct sandbox *sandbox; /* NULL for a stray */
	struct err err;
	int rc;
};

static void sweep_run(uv_work_t *work)
{
	struct sweep *w = work->data;

	w->rc = tree_remove(sandboxes_fd, w->id, &w->err);
}

static void sweep_after(uv_work_t *work, int status)
{
	struct sweep *w = work->data;
	struct sandbox *s = w->sandbox;

	(void)status;
	if (w->rc < 0)
		log_sandbox(LOG_ERROR, w->id, "its directory stays: %s", w->err.msg);
	if (s != NULL) {
		sandbox_set_state(s, SANDBOX_GONE);
		leave_state(s);
		HASH_DEL(by_id, s);
		uid_give_back(s->uid);
		fd_close(&s->dir_fd);
		s->shape->users--;
		free(s);
		hooks.gone();
	} else {
		stray_end(w->id, w->rc == 0);
	}
	free(w);
}

static void remove_directory(const char *id, struct sandbox *s)
{
	struct sweep *w = mem_alloc(sizeof(*w));

	snprintf(w->id, sizeof(w->id), "%s", id);
	w->sandbox = s;
	w->work.data = w;
	uv_queue_work(loop, &w->work, sweep_run, sweep_after);
}

static void on_container_removed(const struct err *err, void *arg)
{
	struct sandbox *s = arg;

	if (err == NULL) {
		remove_directory(s->id, s);
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
		return; /* sandbox_tick does it when it is */
	docker_remove(docker, s->id, on_container_removed, s);
}

void sandbox_kill(struct sandbox *s, enum counter why)
{
	struct version *version = s->version;

	if (s->state == SANDBOX_DYING || s->state == SANDBOX_GONE)
		return;
	log_sandbox(LOG_DEBUG, s->id, "%s → dying: %s", sandbox_state_name(s->state), counter_rows[why].text);
	counters[why]++;
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

/* ---- The start ---- */

static void fail_start(struct sandbox *s, const char *why)
{
	struct shape *shape = s->shape;
	bool counts = s->created_us >= shape->failed_us;

	log_sandbox(LOG_WARN, s->id, "did not start (%s): %s", shape->name, why);
	sandbox_kill(s, COUNT_START_FAILED);
	if (counts)
		hooks.start_failed(shape, why);
}

void sandbox_died(struct sandbox *s, int exit_code)
{
	if (s->state == SANDBOX_DYING || s->state == SANDBOX_GONE)
		return;
	docker_doubt(docker);            /* one that stops ends them all */
	if (s->state == SANDBOX_WARMING) /* its socket says so as well, after its last words */
		return;
	if (exit_code >= 0)
		s->exit_code = exit_code;
	if (s->state == SANDBOX_LEASED) {
		/* Its worker may still have a result to read. */
		s->dead = true;
		watch_free(&s->control_watch);
		hooks.dead(s);
		return;
	}
	if (is_starting(s->state)) {
		fail_start(s, "the container ended before its agent said hello");
	} else if (s->state == SANDBOX_IDLE) {
		hooks.dead(s);
		sandbox_kill(s, COUNT_KILL_ENDED);
	} else if (clock_mono_us() - s->booted_us < SETTLE_US) { /* it never served */
		fail_start(s, "it ended as soon as it was up");
	} else {
		sandbox_kill(s, COUNT_KILL_ENDED);
	}
}

/* What rests is frozen, and so cannot end by itself. What a worker has is not, and goes on if it survives the signal. */
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

void sandbox_watch_end(struct sandbox *s)
{
	buf_free(&s->in);
	watch_free(&s->log_watch);
	watch_free(&s->error_log_watch);
	watch_free(&s->control_watch);
	s->control_watch = watch_new(loop, s->control_fd, UV_DISCONNECT, on_disconnect, s);
}

/* All is connected and the agent has said hello: no one else can connect any more. */
static void become_spare(struct sandbox *s)
{
	fd_close(&s->control_listener);
	fd_close(&s->log_listener);
	unlinkat(s->dir_fd, "control.sock", 0);
	unlinkat(s->dir_fd, "log.sock", 0);
	sandbox_set_state(s, SANDBOX_SPARE);
	s->booted_us = s->since_us;
	log_sandbox(LOG_DEBUG, s->id, "ready after %lld ms (%s)", (long long)(clock_mono_us() - s->created_us) / 1000,
		    s->shape->name);
	hooks.spare(s);
}

static void on_cgroup(const struct err *err, struct cgroup *cgroup, void *arg)
{
	struct sandbox *s = arg;
	static bool complained;

	if (err != NULL && !complained)
		log_warn("sandboxes are neither measured nor frozen: %s", err->msg);
	complained = err != NULL;
	if (s->state == SANDBOX_BOOTING) {
		s->cgroup = *cgroup;
		become_spare(s);
	} else {
		cgroup_close(cgroup);
	}
	sandbox_release_hold(s);
}

/* The agent is there. Who is at the other end of its socket is in the sandbox's cgroup: itself, or gVisor's kernel for it. */
static void find_cgroup(struct sandbox *s)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	sandbox_watch_end(s);
	getsockopt(s->control_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
	sandbox_hold(s);
	cgroup_open(s->container_id, peer.pid, on_cgroup, s);
}

/* 0 when *frame is a good HELLO. */
static int check_hello(const struct frame *frame, struct err *err)
{
	if (frame->type != FRAME_HELLO)
		return err_set(err, EPROTO, "the agent said %s, not HELLO", frame_name(frame->type));
	json_t *json = json_loadb(frame->payload, frame->len, 0, NULL);
	json_int_t protocol = json_integer_value(json_object_get(json, "protocol"));
	json_decref(json);
	if (protocol != PROTOCOL)
		return err_set(err, EPROTO, "the agent speaks protocol %d, not %d", (int)protocol, PROTOCOL);
	return 0;
}

static int accept_one(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static void on_log_connection(int events, void *arg)
{
	struct sandbox *s = arg;

	(void)events;
	if (s->log_fd < 0) /* the launcher connects for stdout first */
		s->log_fd = accept_one(s->log_listener);
	if (s->log_fd >= 0)
		s->error_log_fd = accept_one(s->log_listener);
	if (s->error_log_fd >= 0)
		watch_free(&s->log_watch);
}

static void on_hello(int events, void *arg)
{
	struct sandbox *s = arg;
	struct frame frame;
	struct err err;

	(void)events;
	ssize_t n = read(s->control_fd, buf_reserve(&s->in, MAX_HELLO_BYTES), MAX_HELLO_BYTES);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		fail_start(s, "the agent ended before it said hello");
		return;
	}
	s->in.len += (size_t)n;
	ptrdiff_t took = frame_decode(s->in.data, s->in.len, MAX_HELLO_BYTES, &frame, &err);
	if (took == 0)
		return;
	if (s->error_log_fd < 0)
		on_log_connection(0, s); /* its event may come after this one */
	if (took < 0 || check_hello(&frame, &err) < 0)
		fail_start(s, err.msg);
	else if ((size_t)took != s->in.len)
		fail_start(s, "the agent said more than HELLO");
	else if (s->error_log_fd < 0)
		fail_start(s, "the agent said hello without its log connections");
	else if (s->state != SANDBOX_BOOTING)
		fail_start(s, "somebody said hello before its container was started");
	else
		find_cgroup(s);
}

static void on_control_connection(int events, void *arg)
{
	struct sandbox *s = arg;

	(void)events;
	s->control_fd = accept_one(s->control_listener);
	if (s->control_fd < 0)
		return;
	watch_free(&s->control_watch);
	s->control_watch = watch_new(loop, s->control_fd, UV_READABLE | UV_DISCONNECT, on_hello, s);
}

/*
 * The directory that becomes /berth in the sandbox. Only this user can reach it on the host (its parent is 0700); the sandbox's
 * own user must be able to connect and read. It is ours until the sandbox is gone: another poolmgr leaves it alone.
 */
static int make_directory(struct sandbox *s, struct err *err)
{
	s->dir_fd = tree_make_owned(sandboxes_fd, s->id, err);
	if (s->dir_fd < 0)
		return err_prefix(err, "%s", sandboxes_path);
	if (fchmod(s->dir_fd, 0755) < 0 || mkdirat(s->dir_fd, "function", 0755) < 0 ||
	    fchmodat(s->dir_fd, "function", 0755, 0) < 0)
		return err_set(err, errno, "make directory '%s/%s/function'", sandboxes_path, s->id);
	s->control_listener = fd_listen_unix(s->dir_fd, "control.sock", SOCK_STREAM | SOCK_NONBLOCK, 0666, 1, err);
	if (s->control_listener < 0)
		return -1;
	s->log_listener = fd_listen_unix(s->dir_fd, "log.sock", SOCK_STREAM | SOCK_NONBLOCK, 0666, 2, err);
	if (s->log_listener < 0)
		return -1;
	s->control_watch = watch_new(loop, s->control_listener, UV_READABLE, on_control_connection, s);
	s->log_watch = watch_new(loop, s->log_listener, UV_READABLE, on_log_connection, s);
	return 0;
}

static void on_container_created(const struct err *err, const char *container_id, void *arg)
{
	struct sandbox *s = arg;

	if (err == NULL)
		snprintf(s->container_id, sizeof(s->container_id), "%s", container_id);
	if (s->state != SANDBOX_DYING && err == NULL)
		sandbox_set_state(s, SANDBOX_BOOTING);
	else if (s->state != SANDBOX_DYING)
		fail_start(s, err->msg);
	if (err != NULL)
		sandbox_release_hold(s); /* else the start is under way, and its end does that */
}

static void on_container_started(const struct err *err, void *arg)
{
	struct sandbox *s = arg;

	s->started_us = clock_mono_us();
	if (err != NULL && is_starting(s->state)) /* else its agent is up, whatever Docker says */
		fail_start(s, err->msg);
	sandbox_release_hold(s);
}

static struct sandbox *sandbox_new(struct shape *shape)
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
	s->cgroup = CGROUP_NONE;
	s->dir_fd = s->control_listener = s->log_listener = s->control_fd = s->log_fd = s->error_log_fd = -1;
	HASH_ADD_STR(by_id, id, s);
	enter_state(s, SANDBOX_CREATING);
	return s;
}

void sandbox_create(struct shape *shape)
{
	struct sandbox *s = sandbox_new(shape);
	AUTO(mem_free) char *host_dir = mem_printf("%s/%s", sandboxes_path, s->id);
	struct err err;

	counters[COUNT_START]++;
	if (make_directory(s, &err) < 0) {
		fail_start(s, err.msg);
		return;
	}
	struct docker_launch launch = {
		.sandbox_id = s->id,
		.driver = shape->key.driver,
		.image = shape->key.language->image,
		.command = shape->key.language->command,
		.host_dir = host_dir,
		.uid = s->uid,
		.memory_mb = shape->key.memory_mb,
		.cpu_millis = shape->key.cpu_millis,
		.tmp_mb = shape->key.tmp_mb,
		.tmp_inodes = shape->key.tmp_inodes,
		.pids = shape->key.pids,
		.nofile = shape->key.nofile,
		.egress = shape->key.egress,
	};
	sandbox_hold(s);
	docker_start(docker, &launch, on_container_created, on_container_started, s);
}

/* ---- Upkeep ---- */

static void end_slow_boots(enum sandbox_state state, int64_t now_us)
{
	struct sandbox *s, *next;

	DL_FOREACH_SAFE (sandbox_lists[state], s, next) {
		if (now_us - s->since_us > conf->pool_boot_timeout_ms * 1000)
			fail_start(s, "it was not ready within pool.boot_timeout_ms");
	}
}

/*
 * What is frozen is let go for a moment now and then: a signal that somebody sent it takes effect, and gVisor's kernel, which
 * has to be asked to end what runs on it, hears Docker Engine.
 */
static bool breathes(int64_t rested_us)
{
	return rested_us % BREATH_PERIOD_US >= BREATH_PERIOD_US - BREATH_US;
}

/* The lists are in the order the sandboxes came into them. */
static void freeze_resting(enum sandbox_state state, int64_t now_us)
{
	struct sandbox *s;

	DL_FOREACH (sandbox_lists[state], s) {
		int64_t rested_us = now_us - s->since_us - conf->pool_freeze_after_ms * 1000;
		if (rested_us < 0)
			break;
		if (breathes(rested_us))
			cgroup_thaw(&s->cgroup);
		else
			cgroup_freeze(&s->cgroup);
	}
}

/* Docker Engine ends its containers when it stops or starts, and waits long for those that are frozen. */
static void thaw_resting(enum sandbox_state state)
{
	struct sandbox *s;

	DL_FOREACH (sandbox_lists[state], s)
		cgroup_thaw(&s->cgroup);
}

static void settle_resting(enum sandbox_state state, int64_t now_us)
{
	if (docker_is_heard(docker))
		freeze_resting(state, now_us);
	else
		thaw_resting(state);
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
	settle_resting(SANDBOX_SPARE, now_us);
	settle_resting(SANDBOX_IDLE, now_us);
	cgroup_tick(now_us);
	end_slow_boots(SANDBOX_BOOTING, now_us);
	DL_FOREACH_SAFE (sandbox_lists[SANDBOX_DYING], s, next) {
		if (s->remove_retry_us != 0 && now_us >= s->remove_retry_us && docker_is_up(docker))
			remove_container(s);
	}
}

static void on_stray_removed(const struct err *err, void *arg)
{
	const struct stray *stray = arg;

	if (err == NULL) {
		remove_directory(stray->id, NULL);
		return;
	}
	log_sandbox(LOG_WARN, stray->id, "left over from before, will be removed later: %s", err->msg);
	stray_end(stray->id, false);
}

/* It may be frozen, and Docker cannot kill what is frozen. */
static void on_stray_cgroup(const struct err *err, struct cgroup *cgroup, void *arg)
{
	const struct stray *stray = arg;

	if (err == NULL)
		cgroup_kill(cgroup);
	cgroup_close(cgroup);
	docker_remove(docker, stray->id, on_stray_removed, (void *)stray);
}

static void on_stray_inspected(const struct err *err, const struct docker_state *state, void *arg)
{
	struct stray *stray = arg;

	stray->found = stray->found || err == NULL;
	if (err == NULL && state->pid > 0)
		cgroup_open(state->container_id, state->pid, on_stray_cgroup, stray);
	else
		docker_remove(docker, stray->id, on_stray_removed, stray);
}

void sandbox_remove_stray(const char *id, enum counter what)
{
	struct stray *stray;

	if (strlen(id) != SANDBOX_ID_SIZE - 1 || strspn(id, "0123456789abcdef") != SANDBOX_ID_SIZE - 1)
		return; /* a label somebody else made */
	HASH_FIND_STR(strays, id, stray);
	if (stray != NULL || sandbox_find(id) != NULL || tree_is_owned(sandboxes_fd, id))
		return;
	stray = mem_alloc(sizeof(*stray));
	snprintf(stray->id, sizeof(stray->id), "%s", id);
	stray->what = what;
	stray->found = faccessat(sandboxes_fd, id, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	HASH_ADD_STR(strays, id, stray);
	log_sandbox(LOG_DEBUG, id, "removing %s", counter_rows[what].text);
	docker_inspect(docker, stray->id, on_stray_inspected, stray);
}

/* What is removed is of no file system any more, whoever has it open. */
bool sandbox_lacks_directory(const struct sandbox *s)
{
	struct stat st;

	return fstat(s->dir_fd, &st) == 0 && st.st_nlink == 0;
}

int sandbox_strays(void)
{
	return (int)HASH_COUNT(strays);
}

static void sweep_one(int dir_fd, const char *name, void *arg)
{
	bool (*keep)(const char *id) = *(bool (**)(const char *))arg;

	(void)dir_fd;
	if (sandbox_find(name) == NULL && !keep(name))
		sandbox_remove_stray(name, COUNT_DRIFT_DIRECTORY);
}

void sandbox_sweep_directories(bool (*keep)(const char *id))
{
	struct err err;

	if (tree_each(sandboxes_fd, sweep_one, &keep, &err) < 0)
		log_error("%s", err.msg);
}

int sandbox_init(uv_loop_t *l, const struct conf *c, struct docker *d, const struct sandbox_hooks *h, struct err *err)
{
	loop = l;
	conf = c;
	docker = d;
	hooks = *h;
	sandboxes_path = mem_printf("%s/sandboxes", conf->master_state_dir);
	sandboxes_fd = open(sandboxes_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sandboxes_fd < 0)
		return err_set(err, errno, "open '%s'", sandboxes_path);
	return uid_init(conf, err);
}

void sandbox_set_conf(const struct conf *c)
{
	conf = c;
}
