/*
 * A worker: answers FastCGI requests, one at a time. The master starts it, as many as each pool needs; it ends when the master
 * says so (SIGTERM: after the request in hand; SIGQUIT: at once) or is gone. When it crashes, the request it held gets nginx's
 * 502, and the sandbox it held is destroyed, because its connection to poolmgr closes.
 *
 * SIGTERM is blocked and read from a descriptor between requests, so no system call of a request is ever interrupted by it.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "db/db.h"
#include "worker/connection.h"
#include "worker/invocation.h"
#include "worker/lease.h"
#include "worker/problem.h"
#include "worker/request.h"
#include "worker/response.h"
#include "worker/route.h"
#include "worker/spool.h"
#include "worker/trim.h"
#include "worker/worker.h"

/* After accept() failed for a lack of something. */
#define ACCEPT_PAUSE_US 50000

/* Between looks for a request that nobody was woken for. */
#define LOOK_MS 1000

struct process {
	struct worker worker;
	struct connection *connection;
	struct request request;
	struct response response;
	struct buf body;
	int signal_fd, epoll_fd;
};

static void process_free(struct process *p)
{
	fd_close(&p->epoll_fd);
	fd_close(&p->signal_fd);
	buf_free(&p->body);
	response_free(&p->response);
	connection_free(&p->connection);
	language_free(&p->worker.languages);
	db_free(&p->worker.db);
	spool_free(&p->worker.spool);
	invocation_free(&p->worker.invocation);
	lease_client_free(&p->worker.poolmgr);
	scoreboard_close(&p->worker.board);
}

static void quit_now(int signal)
{
	(void)signal;
	_exit(0);
}

static int signals_init(struct process *p, struct err *err)
{
	struct sigaction quit = {.sa_handler = quit_now};
	sigset_t blocked, none;

	sigemptyset(&none);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	if (sigprocmask(SIG_SETMASK, &blocked, NULL) < 0 || sigaction(SIGQUIT, &quit, NULL) < 0)
		return err_set(err, errno, "set up signals");
	p->signal_fd = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signal_fd < 0 ? err_set(err, errno, "signalfd") : 0;
}

static int watch(struct process *p, int fd, uint32_t events, struct err *err)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	if (epoll_ctl(p->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		return err_set(err, errno, "watch descriptor %d", fd);
	return 0;
}

/* All workers of a pool wait on one socket: EPOLLEXCLUSIVE wakes one, and whoever finds nothing left must not block. */
static int events_init(struct process *p, struct err *err)
{
	p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->epoll_fd < 0)
		return err_set(err, errno, "epoll_create1");
	if (fd_set_nonblock(HERITAGE_LISTEN_FD, true, err) < 0)
		return -1;
	if (watch(p, p->signal_fd, EPOLLIN, err) < 0 || watch(p, HERITAGE_LIFE_FD, EPOLLIN, err) < 0)
		return -1;
	return watch(p, HERITAGE_LISTEN_FD, EPOLLIN | EPOLLEXCLUSIVE, err);
}

static int worker_init(struct process *p, const struct heritage *h, struct err *err)
{
	struct worker *w = &p->worker;

	w->role = h->role;
	w->conf = h->conf;
	if (sodium_init() < 0)
		return err_set(err, 0, "initialise libsodium");
	if (scoreboard_attach(HERITAGE_SCOREBOARD_FD, &w->board, err) < 0)
		return -1;
	w->slot = scoreboard_slot(w->board, h->slot);
	w->poolmgr = lease_client_new(w->conf->master_run_dir);
	w->invocation = invocation_new(w->conf, w->poolmgr);
	if (w->role == CHILD_INVOKE) {
		w->spool = spool_new(w->conf, w->slot, scoreboard_spool_bytes(w->board));
		return 0;
	}
	w->db = db_new(w->conf, "berth-control");
	return language_load_all(w->conf, &w->languages, err);
}

static const char *connection_source(void *context, const char *name)
{
	return connection_variable(context, name);
}

static int read_body(struct process *p, const struct route *route, struct err *err)
{
	struct request *r = &p->request;

	if (route->max_body == 0 || r->content_length == 0)
		return 0;
	if (connection_read(p->connection, (size_t)r->content_length, &p->body, err) < 0)
		return -1;
	r->body = p->body.data;
	r->body_len = p->body.len;
	return 0;
}

static void answer(struct process *p)
{
	struct request_source source = {
		.method = connection_variable(p->connection, "REQUEST_METHOD"),
		.uri = connection_variable(p->connection, "REQUEST_URI"),
		.query = connection_variable(p->connection, "QUERY_STRING"),
		.variable = connection_source,
		.context = p->connection,
	};
	struct err err = {0};

	int rc = request_parse(&source, &p->request, &err);
	log_set_request(p->request.id);
	response_begin(&p->response, &p->request);
	if (rc < 0) {
		problem_respond(&p->response, PROBLEM_INVALID_REQUEST, NULL, "The request is not valid: %s", err.msg);
		return;
	}
	const struct route *route = route_select(p->worker.role, p->worker.conf, &p->request, &p->response);
	if (route == NULL)
		return;
	if (read_body(p, route, &err) < 0)
		problem_respond(&p->response, PROBLEM_INVALID_REQUEST, NULL, "The request is not complete: %s", err.msg);
	else
		route->handler(&p->worker, &p->request, &p->response);
}

/* One request, from a connection that becomes ours. */
static void serve(struct process *p, int fd)
{
	struct err err = {0};

	if (connection_begin(p->connection, fd, p->worker.conf->fcgi_io_timeout_ms, &err) < 0) {
		log_debug("%s", err.msg);
		return;
	}
	answer(p);
	if (connection_end(p->connection, &p->response.out, &err) < 0)
		log_info("answer with status %d not delivered: %s", p->response.status, err.msg);
	response_rest(&p->response);
	trim_buf(&p->body);
	log_set_request(NULL);
}

static void accept_one(struct process *p)
{
	struct slot *slot = p->worker.slot;
	int fd = accept4(HERITAGE_LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
			return; /* another worker has it, or nobody wants it any more */
		if (errno == EINVAL)
			return; /* the master has shut the socket: the signal to stop is there or about to be */
		log_error("accept: %s", strerror(errno));
		usleep(ACCEPT_PAUSE_US);
		return;
	}
	atomic_store(&slot->state, SLOT_BUSY);
	serve(p, fd);
	atomic_fetch_add(&slot->requests, 1);
	atomic_store(&slot->state, SLOT_IDLE);
}

/*
 * Until there is a reason to stop, which it returns. The kernel wakes one worker for a request. If that one leaves without it,
 * the request waits until the next one wakes somebody. So what was come for is served before stopping; and since a worker can
 * be killed at that moment, the others look by themselves now and then.
 */
static const char *serve_requests(struct process *p)
{
	struct epoll_event events[3];
	const char *reason = NULL;

	atomic_store(&p->worker.slot->state, SLOT_IDLE);
	while (reason == NULL) {
		int n = epoll_wait(p->epoll_fd, events, ARRAY_SIZE(events), LOOK_MS);
		bool work = n == 0;
		for (int i = 0; i < n; i++) {
			if (events[i].data.fd == p->signal_fd)
				reason = "told to";
			else if (events[i].data.fd == HERITAGE_LIFE_FD)
				reason = "the master is gone";
			else
				work = true;
		}
		if (work)
			accept_one(p);
	}
	return reason;
}

int worker_main(const struct heritage *heritage)
{
	AUTO(process_free) struct process p = {.signal_fd = -1, .epoll_fd = -1};
	struct err err = {0};

	/* A threshold of our own switches glibc's moving one off: large buffers are always given back to the system. */
	mallopt(M_MMAP_THRESHOLD, TRIM_ABOVE);
	if (worker_init(&p, heritage, &err) < 0 || connection_new(&p.connection, &err) < 0 || signals_init(&p, &err) < 0 ||
	    events_init(&p, &err) < 0) {
		log_error("cannot start: %s", err.msg);
		return EXIT_FAILURE;
	}
	log_debug("ready");
	const char *reason = serve_requests(&p);
	atomic_store(&p.worker.slot->state, SLOT_STOPPING);
	log_debug("stopping: %s", reason);
	return EXIT_SUCCESS;
}
