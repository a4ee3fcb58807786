#include "poolmgr/sandbox/cgroup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "poolmgr/node/watch.h"

#define ANSWER_TIMEOUT_US 2000000

/* A CGROUP_OPEN that the warden has not answered. */
struct question {
	uint64_t seq;
	int64_t asked_us;
	cgroup_open_fn done;
	void *arg;
	struct question *prev, *next;
};

static int warden_fd = -1;
static struct watch *watch;
static struct question *questions; /* oldest first */
static uint64_t last_seq;
static struct buf scratch;
static void (*on_shim_ended)(const char *container);

static void end_question(struct question *q, const struct err *err, struct cgroup *cgroup)
{
	struct question ended = *q;

	DL_DELETE(questions, q);
	free(q);
	ended.done(err, cgroup, ended.arg);
}

static struct question *find_question(uint64_t seq)
{
	struct question *q;

	DL_FOREACH (questions, q)
		if (q->seq == seq)
			return q;
	return NULL;
}

static void on_opened(struct ipc_msg *m)
{
	struct question *q = find_question(m->cgroup.seq);
	struct cgroup cgroup = {.version = m->cgroup.version};

	if (q == NULL) /* the request was given up, or was made by an earlier poolmgr */
		return;
	for (int i = 0; i < CGROUP_FD_COUNT; i++)
		cgroup.fds[i] = TAKE_FD(m->fds[i]);
	end_question(q, NULL, &cgroup);
}

static void on_failed(struct ipc_msg *m)
{
	struct question *q = find_question(m->cgroup_failed.seq);
	struct cgroup none = CGROUP_NONE;
	struct err err;

	if (q == NULL)
		return;
	err_set(&err, EIO, "%.*s", (int)m->cgroup_failed.why.len, m->cgroup_failed.why.data);
	end_question(q, &err, &none);
}

static void on_ended(struct ipc_msg *m)
{
	AUTO(mem_free) char *container = mem_strndup(m->shim_ended.container.data, m->shim_ended.container.len);

	if (on_shim_ended != NULL) /* asked by this poolmgr */
		on_shim_ended(container);
}

static void (*const handlers[IPC_TYPE_COUNT])(struct ipc_msg *m) = {
	[IPC_CGROUP] = on_opened,
	[IPC_CGROUP_FAILED] = on_failed,
	[IPC_SHIM_ENDED] = on_ended,
};

static void on_answer(int events, void *arg)
{
	struct ipc_msg m;
	struct err err;

	(void)events;
	(void)arg;
	int rc = ipc_recv(warden_fd, IPC_WARDEN, 0, &scratch, &m, &err);
	if (rc < 0 && err.code != EAGAIN && err.code != EINTR)
		log_error("warden: %s", err.msg);
	if (rc == 0) { /* the master is gone, so no new warden will be started */
		watch_free(&watch);
		warden_fd = -1;
	}
	if (rc <= 0)
		return;
	if (handlers[m.type] != NULL)
		handlers[m.type](&m);
	ipc_close_fds(&m);
}

void cgroup_open(const char *container, pid_t pid, cgroup_open_fn done, void *arg)
{
	struct cgroup none = CGROUP_NONE;
	struct ipc_msg m = {.type = IPC_CGROUP_OPEN,
			    .cgroup_open = {.seq = ++last_seq, .container = STR(container), .pid = (uint32_t)pid}};
	struct err err;

	err_set(&err, ENOTCONN, "there is no warden");
	if (warden_fd < 0 || ipc_send(warden_fd, &m, &err) < 0) {
		done(&err, &none, arg);
		return;
	}
	struct question *q = mem_alloc(sizeof(*q));
	q->seq = last_seq;
	q->asked_us = clock_mono_us();
	q->done = done;
	q->arg = arg;
	DL_APPEND(questions, q);
}

void cgroup_tick(int64_t now_us)
{
	struct cgroup none = CGROUP_NONE;
	struct err err;

	err_set(&err, ETIMEDOUT, "the warden did not answer");
	while (questions != NULL && now_us - questions->asked_us >= ANSWER_TIMEOUT_US)
		end_question(questions, &err, &none);
}

bool cgroup_is_open(const struct cgroup *c)
{
	return c->fds[CGROUP_FREEZER] >= 0;
}

void cgroup_close(struct cgroup *c)
{
	for (int i = 0; i < CGROUP_FD_COUNT; i++)
		fd_close(&c->fds[i]);
}

static void set_frozen(struct cgroup *c, bool frozen)
{
	static const char *const words[][2] = {{"THAWED", "FROZEN"}, {"0", "1"}};
	const char *word = words[c->version == 2][frozen];

	if (!cgroup_is_open(c) || c->frozen == frozen)
		return;
	/* The sandbox may have ended; then there is nothing to freeze, and the error is ignored. */
	if (pwrite(c->fds[CGROUP_FREEZER], word, strlen(word), 0) > 0)
		c->frozen = frozen;
}

void cgroup_freeze(struct cgroup *c)
{
	set_frozen(c, true);
}

void cgroup_thaw(struct cgroup *c)
{
	set_frozen(c, false);
}

/*
 * cgroup v1 cannot be killed in one step: while it is frozen no process is created in it, and the warden kills its processes
 * one by one.
 */
void cgroup_kill(struct cgroup *c)
{
	struct ipc_msg m = {.type = IPC_CGROUP_KILL, .fds = {c->fds[CGROUP_KILL], c->fds[CGROUP_FREEZER], -1, -1, -1}};
	struct err err;

	if (!cgroup_is_open(c))
		return;
	if (c->version == 2) {
		if (pwrite(c->fds[CGROUP_KILL], "1", 1, 0) < 0)
			log_debug("cgroup.kill: %s", strerror(errno));
		cgroup_thaw(c);
		return;
	}
	cgroup_freeze(c);
	if (ipc_send(warden_fd, &m, &err) < 0) {
		log_warn("warden: %s", err.msg);
		cgroup_thaw(c);
	}
}

void cgroup_end_shim(const char *container, pid_t pid, const char *directory, void (*ended)(const char *container))
{
	struct ipc_msg m = {
		.type = IPC_SHIM_END,
		.fds = IPC_NO_FDS,
		.shim_end = {.container = STR(container), .pid = (uint32_t)pid, .directory = STR(directory)},
	};
	struct err err;

	on_shim_ended = ended;
	if (warden_fd >= 0 && ipc_send(warden_fd, &m, &err) < 0)
		log_warn("warden: %s", err.msg);
}

void cgroup_init(uv_loop_t *loop, int fd)
{
	warden_fd = fd;
	last_seq = (uint64_t)clock_wall_us(); /* so that an answer to an earlier poolmgr is not mistaken for one of ours */
	if (fd >= 0)
		watch = watch_new(loop, fd, UV_READABLE, on_answer, NULL);
}

void cgroup_deinit(void)
{
	struct question *q, *next;

	watch_free(&watch);
	DL_FOREACH_SAFE (questions, q, next) {
		DL_DELETE(questions, q);
		free(q);
	}
	buf_free(&scratch);
	warden_fd = -1;
}
