#include "poolmgr/node/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/node/watch.h"

/* Pause when descriptors are short, so that the waiting connection does not wake the loop again at once. */
#define ACCEPT_PAUSE_MS 100

/* Connections beyond those of the workers, old and new ones during a reload: clients that ask for numbers. */
#define OTHER_CLIENTS 64

struct client {
	int fd;
	struct watch *watch;
	uint32_t pid;
	bool invokes,
		controls; /* the kinds of worker its user may be: root may be both, and so may every client without root */
	bool greeted;
	bool wants_sandbox; /* it waits for a sandbox */
	bool wants_finding; /* it waits for the answer how a sandbox ended */
	bool broken;        /* a send failed: it is to be closed */
	struct client *prev, *next;
};

static uv_loop_t *loop;
static int listen_fd;
static const uid_t *welcome;       /* INHERITED_CLIENTS of them */
static struct watch *listen_watch; /* NULL: accepting pauses */
static uv_timer_t accept_timer;    /* ends the pause */
static bool out_of_fds;            /* accepting has failed since the last success, and that was logged */
static const struct conf *conf;
static struct client_hooks hooks;
static int count;
static struct client *clients;
static struct buf scratch; /* the buffer that strings of the current message point into */

/* Each kind has its own share of the connections. */
static struct {
	const char *workers;
	int count;
	bool too_many; /* connections were refused since the last success, and that was logged */
} kinds[] = {
	[1] = {.workers = "invoke workers"},
	[2] = {.workers = "control, deploy, query and health workers"},
	[3] = {.workers = "workers"},
};

static int kind_of(const struct client *c)
{
	return c->invokes + 2 * c->controls;
}

static void note_count(const struct client *c, int change)
{
	count += change;
	kinds[kind_of(c)].count += change;
}

static void client_close(struct client *c)
{
	DL_DELETE(clients, c);
	note_count(c, -1);
	hooks.gone(c);
	watch_free(&c->watch);
	fd_close(&c->fd);
	free(c);
}

/* Messages that only one kind of worker may send. */
static const bool of_invoke[IPC_TYPE_COUNT] = {[IPC_LEASE] = true};
static const bool of_control[IPC_TYPE_COUNT] = {
	[IPC_CHECK] = true, [IPC_CHECK_STORED] = true, [IPC_INVALIDATE] = true, [IPC_STATS] = true};

static const bool for_a_sandbox[IPC_TYPE_COUNT] = {[IPC_LEASE] = true, [IPC_CHECK] = true, [IPC_CHECK_STORED] = true};

/*
 * Says in words what a worker does that it has no reason to do; NULL when the message is all right. This bounds what a worker
 * may cost.
 */
static const char *excess(const struct client *c, enum ipc_type type)
{
	if ((of_invoke[type] && !c->invokes) || (of_control[type] && !c->controls))
		return "says what only another kind of worker has to say";
	if (for_a_sandbox[type] && c->wants_sandbox)
		return "asks for a sandbox while it waits for another";
	switch (type) {
	case IPC_HELLO:
		return c->greeted ? "says HELLO once more" : NULL;
	case IPC_POSTMORTEM:
		return c->wants_finding ? "asks how a sandbox ended while it waits to hear of another" : NULL;
	default:
		return NULL;
	}
}

static void note_question(struct client *c, const struct ipc_msg *m)
{
	if (m->type == IPC_HELLO)
		c->pid = m->hello.pid;
	c->greeted = c->greeted || m->type == IPC_HELLO;
	c->wants_sandbox = c->wants_sandbox || for_a_sandbox[m->type];
	c->wants_finding = c->wants_finding || m->type == IPC_POSTMORTEM;
}

static void note_answer(struct client *c, enum ipc_type type)
{
	c->wants_sandbox = c->wants_sandbox && type != IPC_GRANT && type != IPC_DENY && type != IPC_WITHDRAWN;
	c->wants_finding = c->wants_finding && type != IPC_FINDING;
}

/* Handles one message. False when the client is to be closed. */
static bool handle(struct client *c, struct ipc_msg *m)
{
	const char *problem = excess(c, m->type);

	if (problem == NULL) {
		note_question(c, m);
		problem = hooks.message(c, m);
	}
	if (problem != NULL)
		log_error("worker %u %s: its connection is closed", c->pid, problem);
	return problem == NULL;
}

/* Receives one message. False when the client is to be closed. */
static bool serve_one(struct client *c)
{
	struct ipc_msg m;
	struct err err;

	int rc = ipc_recv(c->fd, IPC_WORKER, 0, &scratch, &m, &err);
	/*
	 * ECONNRESET: the worker ended without reading everything sent to it. Messages that it sent before are still to be
	 * read.
	 */
	if (rc < 0 && (err.code == EAGAIN || err.code == EINTR || err.code == ECONNRESET))
		return true;
	if (rc == 0)
		return false;
	if (rc < 0) {
		log_error("worker %u: %s", c->pid, err.msg);
		return false;
	}
	bool goes_on = handle(c, &m);
	ipc_close_fds(&m);
	return goes_on;
}

static void on_readable(int events, void *arg)
{
	struct client *c = arg;

	(void)events;
	if (c->broken || !serve_one(c))
		client_close(c);
}

void client_send(struct client *c, const struct ipc_msg *msg)
{
	struct err err;

	note_answer(c, msg->type);
	if (c->broken || ipc_send(c->fd, msg, &err) == 0)
		return;
	if (err.code != EPIPE && err.code != ECONNRESET)
		log_error("worker %u: %s", c->pid, err.msg);
	/*
	 * Not closed here, because callers still use the client. The shutdown makes its descriptor readable, so the loop closes
	 * it.
	 */
	c->broken = true;
	shutdown(c->fd, SHUT_RDWR);
}

static void on_connection(int events, void *arg);

static void on_pause_over(uv_timer_t *timer)
{
	(void)timer;
	listen_watch = watch_new(loop, listen_fd, UV_READABLE, on_connection, NULL);
}

static void pause_accepting(int why)
{
	if (!out_of_fds)
		log_error("cannot accept workers for now: %s", strerror(why));
	out_of_fds = true;
	watch_free(&listen_watch);
	uv_timer_start(&accept_timer, on_pause_over, ACCEPT_PAUSE_MS, 0);
}

/* Identifies the peer by the kernel's word, whoever can reach the socket's name. */
static bool is_welcome(struct client *c)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	c->invokes = peer.uid == 0 || peer.uid == welcome[0];
	c->controls = peer.uid == 0 || peer.uid == welcome[1];
	if (!c->invokes && !c->controls)
		log_error("process %d of user %u is no worker, and is not served", (int)peer.pid, peer.uid);
	return c->invokes || c->controls;
}

static int64_t most_of_kind(const struct client *c)
{
	int64_t workers = 0;

	if (c->invokes)
		workers += conf->invoke_max_workers;
	if (c->controls)
		workers += conf->control_workers + conf->deploy_max_workers + conf->query_workers;
	return 2 * workers + OTHER_CLIENTS;
}

static bool is_one_too_many(const struct client *c)
{
	int of_kind = kinds[kind_of(c)].count;
	bool *was = &kinds[kind_of(c)].too_many, is = of_kind >= most_of_kind(c);

	if (is && !*was)
		log_error("%d connections are more than there can be %s: no more are taken", of_kind,
			  kinds[kind_of(c)].workers);
	*was = is;
	return is;
}

static void on_connection(int events, void *arg)
{
	(void)events;
	(void)arg;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_accepting(errno);
		return;
	}
	out_of_fds = false;
	struct client *c = mem_alloc(sizeof(*c));
	c->fd = fd;
	if (!is_welcome(c) || is_one_too_many(c)) {
		fd_close(&c->fd);
		free(c);
		return;
	}
	c->watch = watch_new(loop, c->fd, UV_READABLE, on_readable, c);
	DL_APPEND(clients, c);
	note_count(c, 1);
}

int client_count(void)
{
	return count;
}

void client_set_conf(const struct conf *c)
{
	conf = c;
}

void client_init(uv_loop_t *l, const struct conf *c, int fd, const uid_t uids[INHERITED_CLIENTS], const struct client_hooks *h)
{
	loop = l;
	hooks = *h;
	client_set_conf(c);
	listen_fd = fd;
	welcome = uids;
	uv_timer_init(loop, &accept_timer);
	listen_watch = watch_new(loop, listen_fd, UV_READABLE, on_connection, NULL);
}

void client_deinit(void)
{
	if (!uv_is_closing((uv_handle_t *)&accept_timer))
		uv_close((uv_handle_t *)&accept_timer, NULL);
	watch_free(&listen_watch);
	while (clients != NULL)
		client_close(clients);
	buf_free(&scratch);
}
