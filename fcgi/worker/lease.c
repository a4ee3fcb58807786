#include "worker/lease.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "worker/json_body.h"

#define PAUSE_MIN_US    5000 /* between attempts to connect: a restart of poolmgr takes a second at most */
#define PAUSE_MAX_US    100000
#define GRACE_US        1000000 /* poolmgr denies at the deadline itself; this much later it is taken for stuck */
#define SEND_TIMEOUT_US 1000000

struct lease_client {
	char *path;
	int fd;              /* -1: not connected */
	uint64_t seq;        /* of the last question */
	uint64_t generation; /* counts connections: a lease is known to the poolmgr behind the connection it came over */
	char held[64];       /* the sandbox of the one lease there can be; "" when there is none */
	int64_t retry_at_us; /* lease_watch: when to try to connect again; 0: not waiting */
	struct buf scratch;  /* what the last answer points into */
};

struct lease_client *lease_client_new(const char *run_dir)
{
	struct lease_client *c = mem_alloc(sizeof(*c));

	c->path = mem_printf("%s/%s", run_dir, IPC_SOCKET_NAME);
	c->fd = -1;
	return c;
}

void lease_client_free(struct lease_client **client)
{
	if (*client == NULL)
		return;
	fd_close(&(*client)->fd);
	mem_free(&(*client)->path);
	buf_free(&(*client)->scratch);
	mem_free(client);
}

static void sleep_us(int64_t us)
{
	nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000}, NULL);
}

/* One attempt. */
static int connect_once(struct lease_client *c, struct err *err)
{
	AUTO(fd_close) int fd = fd_connect_unix(c->path, SOCK_SEQPACKET | SOCK_NONBLOCK, err);
	struct ipc_msg hello = {.type = IPC_HELLO, .hello = {.pid = (uint32_t)getpid(), .held_sandbox = STR(c->held)}};

	if (fd < 0 || ipc_send(fd, &hello, err) < 0)
		return -1;
	c->fd = TAKE_FD(fd);
	c->generation++;
	return 0;
}

/* Sends; waits a moment while the socket is full. */
static int send_message(struct lease_client *c, const struct ipc_msg *msg, struct err *err)
{
	int64_t deadline_us = clock_mono_us() + SEND_TIMEOUT_US;
	struct err e = {0};

	while (ipc_send(c->fd, msg, &e) < 0) {
		struct pollfd p = {.fd = c->fd, .events = POLLOUT};
		if (e.code != EAGAIN || poll(&p, 1, clock_left_ms(deadline_us)) <= 0) {
			fd_close(&c->fd);
			return err_set(err, 0, "%s", e.msg);
		}
	}
	return 0;
}

static uint64_t answer_seq(const struct ipc_msg *m)
{
	switch (m->type) {
	case IPC_GRANT:
		return m->grant.seq;
	case IPC_DENY:
		return m->deny.seq;
	case IPC_DONE:
		return m->done.seq;
	case IPC_STATS_REPLY:
		return m->stats_reply.seq;
	default:
		return 0;
	}
}

/* The types that answer each question; a question that is not here has no answer. */
static bool is_answer(const struct ipc_msg *question, const struct ipc_msg *m)
{
	static const struct {
		enum ipc_type question, answers[2];
	} pairs[] = {
		{IPC_LEASE, {IPC_GRANT, IPC_DENY}},
		{IPC_CHECK, {IPC_GRANT, IPC_DENY}},
		{IPC_INVALIDATE, {IPC_DONE, IPC_DONE}},
		{IPC_STATS, {IPC_STATS_REPLY, IPC_STATS_REPLY}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (pairs[i].question == question->type && (pairs[i].answers[0] == m->type || pairs[i].answers[1] == m->type))
			return true;
	return false;
}

/*
 * One try: the question goes out and its answer comes back. On failure the connection is closed, so that a late answer can
 * never be taken for the next one's, and err->code is ETIMEDOUT when poolmgr had all the time it was due.
 */
static int ask_once(struct lease_client *c, const struct ipc_msg *question, int64_t deadline_us, struct ipc_msg *answer,
		    struct err *err)
{
	struct err e = {0};

	if (send_message(c, question, err) < 0)
		return -1;
	for (;;) {
		int rc = ipc_recv(c->fd, IPC_POOLMGR, deadline_us + GRACE_US, &c->scratch, answer, &e);
		if (rc < 0 && e.code == EAGAIN && clock_left_ms(deadline_us + GRACE_US) > 0)
			continue;
		if (rc > 0 && is_answer(question, answer) && answer_seq(answer) == c->seq)
			return 0;
		if (rc > 0)
			ipc_close_fds(answer);
		fd_close(&c->fd);
		if (rc < 0 && e.code == EAGAIN)
			return err_set(err, ETIMEDOUT, "%s is not answered", ipc_name(question->type));
		return err_set(err, EPROTO, "%s: %s", ipc_name(question->type),
			       rc == 0  ? "poolmgr closed the connection"
			       : rc > 0 ? "unexpected answer"
					: e.msg);
	}
}

/* Hands the last failure on; its code only says whether poolmgr was there. */
static int give_up(const struct err *last, struct err *err)
{
	*err = *last;
	err->code = last->code == ETIMEDOUT ? ETIMEDOUT : ECONNREFUSED;
	return -1;
}

/* Asks until there is an answer or the deadline has passed; seq is where the question keeps its own. */
static int ask(struct lease_client *c, struct ipc_msg *question, uint64_t *seq, int64_t deadline_us, struct ipc_msg *answer,
	       struct err *err)
{
	int64_t pause_us = PAUSE_MIN_US;
	struct err e = {0};

	for (;;) {
		*seq = ++c->seq;
		/* A connection that sat idle may be of a poolmgr that is no more: the first failure of an old one costs no
		 * pause. */
		bool old = c->fd >= 0;
		if ((old || connect_once(c, &e) == 0) && ask_once(c, question, deadline_us, answer, &e) == 0)
			return 0;
		if (e.code == ETIMEDOUT || e.code == EMSGSIZE || clock_mono_us() + pause_us >= deadline_us)
			return give_up(&e, err);
		if (old)
			continue;
		sleep_us(pause_us);
		pause_us = MIN(pause_us * 2, PAUSE_MAX_US);
	}
}

static void copy_text(char *to, size_t size, struct str from)
{
	snprintf(to, size, "%.*s", (int)from.len, from.data);
}

static void deny(struct denial *denial, const struct ipc_deny *d)
{
	static const struct uuid none;
	enum problem_code code = problem_find(d->code.data, d->code.len);
	json_t *members = json_object();

	if (code == PROBLEM_COUNT)
		code = PROBLEM_RUNTIME_UNAVAILABLE;
	if (code == PROBLEM_THROTTLED && d->reason.len > 0)
		json_object_set_new(members, "reason", json_textn(d->reason.data, d->reason.len));
	if (code == PROBLEM_FUNCTION_TIMEOUT)
		json_object_set_new(members, "phase", json_string("queue"));
	problem_set(&denial->problem, code, members, "%.*s", (int)json_text_cut(d->detail.data, d->detail.len, 900),
		    d->detail.data);
	denial->problem.retry_after_ms = d->retry_after_ms;
	denial->known = memcmp(&d->function_id, &none, sizeof(none)) != 0;
	denial->function_id = d->function_id;
	denial->version = d->version;
}

static void take_grant(struct lease_client *c, struct ipc_msg *msg, struct lease *lease)
{
	const struct ipc_grant *g = &msg->grant;

	assert(c->held[0] == '\0');
	*lease = (struct lease){
		.id = g->lease_id,
		.generation = c->generation,
		.start_kind = MIN(g->start_kind, IPC_START_COLD),
		.function_id = g->function_id,
		.version = g->version,
		.timeout_ms = g->timeout_ms,
		.memory_limit_mb = g->memory_limit_mb,
		.control_fd = TAKE_FD(msg->fds[0]),
		.log_fd = TAKE_FD(msg->fds[1]),
	};
	copy_text(lease->sandbox_id, sizeof(lease->sandbox_id), g->sandbox_id);
	copy_text(lease->runtime, sizeof(lease->runtime), g->runtime);
	copy_text(c->held, sizeof(c->held), g->sandbox_id);
	if (g->init.len > 0)
		buf_add(&lease->init, g->init.data, g->init.len);
}

static int ask_for_sandbox(struct lease_client *c, struct ipc_msg *question, uint64_t *seq, int64_t deadline_us,
			   struct lease *lease, struct denial *denial)
{
	struct ipc_msg answer;
	struct err err = {0};

	if (ask(c, question, seq, deadline_us, &answer, &err) < 0) {
		log_warn("no sandbox: %s", err.msg);
		problem_set(&denial->problem, err.code == ETIMEDOUT ? PROBLEM_OVERLOADED : PROBLEM_RUNTIME_UNAVAILABLE, NULL,
			    err.code == ETIMEDOUT ? "The pool manager did not answer in time; nothing was run"
						  : "The pool manager cannot be reached; nothing was run");
		return -1;
	}
	if (answer.type == IPC_DENY) {
		deny(denial, &answer.deny);
		return -1;
	}
	take_grant(c, &answer, lease);
	return 0;
}

int lease_acquire(struct lease_client *c, const char *function, uint32_t version, const char *request_id, int64_t deadline_us,
		  struct lease *lease, struct denial *denial)
{
	struct ipc_msg msg = {.type = IPC_LEASE,
			      .lease = {.function = STR(function),
					.version = version,
					.deadline_us = (uint64_t)deadline_us,
					.request_id = STR(request_id)}};

	return ask_for_sandbox(c, &msg, &msg.lease.seq, deadline_us, lease, denial);
}

/* A memory file that nobody can change any more, read from its start. */
static int sealed_memfd(const void *data, size_t len, struct err *err)
{
	AUTO(fd_close) int fd = memfd_create("berth-package", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	const char *p = data;

	if (fd < 0)
		return err_set(err, errno, "memfd_create");
	/* pwrite: the file position travels with the descriptor. */
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(fd, p + done, len - done, (off_t)done);
		if (n < 0)
			return err_set(err, errno, "write a package of %zu bytes to memory", len);
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return err_set(err, errno, "seal a package");
	return TAKE_FD(fd);
}

int lease_check(struct lease_client *c, const char *spec, const void *archive, size_t archive_len, const char *request_id,
		int64_t deadline_us, struct lease *lease, struct denial *denial)
{
	struct err err = {0};
	AUTO(fd_close) int fd = sealed_memfd(archive, archive_len, &err);
	struct ipc_msg msg = {.type = IPC_CHECK,
			      .check = {.spec = STR(spec), .deadline_us = (uint64_t)deadline_us, .request_id = STR(request_id)},
			      .fds = {fd, -1}};

	if (fd < 0) {
		log_error("%s", err.msg);
		problem_set(&denial->problem, PROBLEM_INTERNAL_ERROR, NULL,
			    "The package could not be handed to the pool manager");
		return -1;
	}
	return ask_for_sandbox(c, &msg, &msg.check.seq, deadline_us, lease, denial);
}

void lease_release(struct lease_client *c, struct lease *lease, const char *destroy_reason)
{
	struct ipc_msg msg = {.type = IPC_RELEASE,
			      .release = {.lease_id = lease->id,
					  .destroy = destroy_reason != NULL,
					  .reason = STR(destroy_reason != NULL ? destroy_reason : "")}};
	struct err err = {0};

	fd_close(&lease->control_fd);
	fd_close(&lease->log_fd);
	buf_free(&lease->init);
	/* Another poolmgr than the one that granted the lease knows the sandbox by this connection only. */
	if (lease->generation != c->generation)
		fd_close(&c->fd);
	else if (c->fd >= 0 && send_message(c, &msg, &err) < 0)
		log_sandbox(LOG_WARN, lease->sandbox_id, "sandbox not given back: %s", err.msg);
	c->held[0] = '\0';
	c->retry_at_us = 0;
	*lease = LEASE_NONE;
}

int lease_watch_fd(const struct lease_client *c)
{
	return c->fd;
}

int64_t lease_watch_due_us(const struct lease_client *c)
{
	return c->fd < 0 && c->retry_at_us != 0 ? c->retry_at_us : INT64_MAX;
}

void lease_watch(struct lease_client *c)
{
	struct ipc_msg msg = {.fds = {-1, -1}};
	struct err err = {0};

	if (c->fd >= 0) {
		int rc = ipc_recv(c->fd, IPC_POOLMGR, 0, &c->scratch, &msg, &err);
		if (rc < 0 && err.code == EAGAIN)
			return;
		ipc_close_fds(&msg);
		fd_close(&c->fd);
		log_sandbox(LOG_WARN, c->held, "poolmgr is gone during an invocation, which goes on");
	}
	c->retry_at_us = connect_once(c, &err) < 0 ? clock_mono_us() + PAUSE_MAX_US : 0;
}

int lease_invalidate(struct lease_client *c, const struct uuid *function_id, uint32_t version, int64_t deadline_us,
		     struct err *err)
{
	struct ipc_msg msg = {.type = IPC_INVALIDATE, .invalidate = {.function_id = *function_id, .version = version}};
	struct ipc_msg answer;

	return ask(c, &msg, &msg.invalidate.seq, deadline_us, &answer, err);
}

int lease_stats(struct lease_client *c, int64_t deadline_us, struct buf *json, struct err *err)
{
	struct ipc_msg msg = {.type = IPC_STATS};
	struct ipc_msg answer;

	if (ask(c, &msg, &msg.stats.seq, deadline_us, &answer, err) < 0)
		return -1;
	buf_add(json, answer.stats_reply.json.data, answer.stats_reply.json.len);
	return 0;
}
