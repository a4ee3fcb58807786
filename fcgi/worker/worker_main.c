/*
 * A worker answers FastCGI requests, one at a time. The master starts as many as each pool needs. A worker ends when the master
 * tells it to (SIGTERM: after the current request; SIGQUIT: at once) or is gone. When it crashes, nginx answers its request
 * with 502, and its sandboxes are destroyed, because its connection to poolmgr closes.
 *
 * An invoke worker accepts requests while it has a turn (worker/turn.h); otherwise it stands by. The others accept whenever
 * they are idle; those of deploy, query and health only while the lane occupies less than half of the pool (worker/lanes.h).
 *
 * SIGTERM is blocked and read from a descriptor between requests, so no system call of a request is ever interrupted by it.
 */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/trim.h"
#include "http/connection.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/response.h"
#include "http/route.h"
#include "run/invocation.h"
#include "run/lease.h"
#include "run/slow_timer.h"
#include "worker/lanes.h"
#include "worker/load.h"
#include "worker/service.h"
#include "worker/turn.h"
#include "worker/worker.h"

/* Pause after accept() failed because a resource was short. */
#define ACCEPT_PAUSE_US 50000

/* Above this size nginx may not send or take a body at once. */
#define LARGE_BYTES 65536

/* Interval of looking for a request or a turn for which no worker was woken. */
#define LOOK_US 1000000

/* Interval of checking whether a closed lane may be opened. */
#define LOOK_SHUT_US 5000

/*
 * A worker whose request takes, or usually takes, longer than SLOW_US passes its turn on if a processor is free, or if the
 * request still waits for its sandbox. If it takes longer than VERY_SLOW_US, the worker passes the turn on in any case.
 */
#define SLOW_US      1000
#define VERY_SLOW_US 10000

struct process {
	struct worker worker;
	struct connection *connection;
	struct request request;
	struct response response;
	struct buf body;
	struct turn turn;
	struct lanes *lanes;
	struct slow_timer slow_timer;
	struct load *load;
	int64_t accepted_us;
	int64_t look_us; /* when to look for requests and turns for which no worker was woken */
	int signal_fd;
	int accept_fd, stand_by_fd; /* epoll descriptors: of the events while it has a turn, which include the lanes, and while
				       it has none */
	uint64_t watched_poolmgr;   /* the lease_watch_generation of the connection that is watched */
};

static void process_free(struct process *p)
{
	fd_close(&p->accept_fd);
	fd_close(&p->stand_by_fd);
	fd_close(&p->signal_fd);
	buf_free(&p->body);
	response_free(&p->response);
	connection_free(&p->connection);
	lanes_free(&p->lanes);
	load_free(&p->load);
	p->worker.service->end(&p->worker);
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

static int64_t on_slow(void *arg)
{
	struct process *p = arg;
	int64_t now_us = clock_mono_us();
	bool waits = atomic_load_explicit(&p->worker.slot->waits_in, memory_order_relaxed) != 0;

	if (!waits && MAX(now_us, p->slow_timer.until_us) < p->accepted_us + VERY_SLOW_US && !load_has_idle(p->load))
		return now_us + SLOW_US;
	turn_pass(&p->turn);
	lease_give_back(p->worker.poolmgr);
	return INT64_MAX;
}

static int watch(int epoll_fd, int fd, uint32_t events, struct err *err)
{
	struct epoll_event e = {.events = events, .data.fd = fd};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		return err_set(err, errno, "watch descriptor %d", fd);
	return 0;
}

static int watch_always(const struct process *p, int fd, struct err *err)
{
	return watch(p->accept_fd, fd, EPOLLIN, err) < 0 ? -1 : watch(p->stand_by_fd, fd, EPOLLIN, err);
}

static int lanes_init(struct process *p, struct err *err)
{
	const struct conf *conf = p->worker.conf;
	struct lanes_plan plan = {
		.first_fd = INHERITED_LISTEN_FD,
		.count = 1,
		.epoll_fd = p->accept_fd,
		.board = p->worker.board,
		.role = p->worker.role,
	};

	switch (plan.role) {
	case CHILD_INVOKE:
		plan.count = (int)conf->invoke_lanes;
		plan.max_workers = (int)conf->invoke_max_workers;
		break;
	case CHILD_DEPLOY:
	case CHILD_QUERY:
		plan.count = INHERITED_CALLER_LANES;
		plan.max_workers = (int)(plan.role == CHILD_DEPLOY ? conf->deploy_max_workers : conf->query_workers);
		break;
	case CHILD_HEALTH:
		plan.count = INHERITED_HEALTH_LANES;
		plan.max_workers = INHERITED_HEALTH_LANES;
		break;
	default:
		break;
	}
	plan.in_halves = plan.role != CHILD_INVOKE && plan.count > 1;
	return lanes_new(&plan, &p->lanes, err);
}

static int events_init(struct process *p, struct err *err)
{
	p->accept_fd = epoll_create1(EPOLL_CLOEXEC);
	p->stand_by_fd = epoll_create1(EPOLL_CLOEXEC);
	if (p->accept_fd < 0 || p->stand_by_fd < 0)
		return err_set(err, errno, "epoll_create1");
	if (watch_always(p, p->signal_fd, err) < 0 || watch_always(p, INHERITED_LIFE_FD, err) < 0)
		return -1;
	if (p->turn.limit > 0 && watch(p->stand_by_fd, INHERITED_TURN_FD, EPOLLIN | EPOLLEXCLUSIVE, err) < 0)
		return -1;
	turn_take(&p->turn);
	return lanes_init(p, err);
}

/* Updates the watched descriptors to what has changed since the last call. */
static int adjust_watches(struct process *p, struct err *err)
{
	struct lease_client *poolmgr = p->worker.poolmgr;

	if (turn_has(&p->turn) && lanes_watch(p->lanes, true, err) < 0)
		return -1;
	/* The kernel has removed a closed connection from the epoll sets. */
	if (lease_watch_fd(poolmgr) >= 0 && lease_watch_generation(poolmgr) != p->watched_poolmgr) {
		if (watch_always(p, lease_watch_fd(poolmgr), err) < 0)
			return -1;
		p->watched_poolmgr = lease_watch_generation(poolmgr);
	}
	return 0;
}

static int worker_init(struct process *p, const struct inherited *h, struct err *err)
{
	struct worker *w = &p->worker;

	w->conf = h->conf;
	w->role = h->role;
	if (sodium_init() < 0)
		return err_set(err, 0, "initialise libsodium");
	if (scoreboard_attach(INHERITED_SCOREBOARD_FD, &w->board, err) < 0)
		return -1;
	w->slot = scoreboard_slot(w->board, h->slot);
	w->tally = scoreboard_tally(w->board, h->slot);
	w->slow_timer = &p->slow_timer;
	w->poolmgr = lease_client_new(w->conf->master_run_dir, w->slow_timer, w->role == CHILD_INVOKE);
	w->invocation = invocation_new(w->conf, w->poolmgr, w->slow_timer);
	p->load = load_new();
	p->turn = (struct turn){.board = w->board, .slot = w->slot, .wake_fd = INHERITED_TURN_FD};
	if (w->role == CHILD_INVOKE)
		p->turn.limit = conf_turns(w->conf);
	return w->service->begin(w, err);
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
	if (r->content_length > LARGE_BYTES)
		slow_timer_fire(&p->slow_timer);
	if (connection_read(p->connection, (size_t)r->content_length, &p->body, err) < 0)
		return -1;
	r->body = p->body.data;
	r->body_len = p->body.len;
	return 0;
}

/* Invocations have their own limit, pool.queue_timeout_ms. */
static bool waited_too_long(const struct process *p)
{
	return p->worker.role != CHILD_INVOKE && p->request.waited_us >= p->worker.conf->control_queue_timeout_ms * 1000;
}

static void answer(struct process *p)
{
	struct request_source source = {
		.method = connection_variable(p->connection, "REQUEST_METHOD"),
		.uri = connection_variable(p->connection, "REQUEST_URI"),
		.query = connection_variable(p->connection, "QUERY_STRING"),
		.variable = connection_source,
		.context = p->connection,
		.now_us = clock_wall_us(),
	};
	struct err err = {0};

	int rc = request_parse(&source, &p->request, &err);
	log_set_request(p->request.id);
	response_begin(&p->response, &p->request);
	if (rc < 0) {
		problem_respond(&p->response, PROBLEM_INVALID_REQUEST, NULL, "The request is invalid: %s", err.msg);
		return;
	}
	/* Nobody waits for the answer any more. */
	if (p->request.waited_us > 0 && connection_is_gone(p->connection))
		return;
	if (waited_too_long(p)) {
		problem_respond(&p->response, PROBLEM_OVERLOADED, NULL,
				"No worker was free for the request within %" PRId64 " ms",
				p->worker.conf->control_queue_timeout_ms);
		return;
	}
	const struct service *service = p->worker.service;
	const struct route *route =
		route_select(service->routes, service->route_count, p->worker.conf, &p->request, &p->response);
	if (route == NULL)
		return;
	if (read_body(p, route, &err) < 0)
		problem_respond(&p->response, PROBLEM_INVALID_REQUEST, NULL, "The request is incomplete: %s", err.msg);
	else
		route->handler(&p->worker, &p->request, &p->response);
}

/* Serves one request, from a connection that it takes over. There is no answer when the client has left. */
static void serve(struct process *p, int fd)
{
	struct str parts[RESPONSE_PARTS_MAX];
	struct err err = {0};

	if (connection_begin(p->connection, fd, p->worker.conf->fcgi_io_timeout_ms, &err) < 0) {
		log_debug("%s", err.msg);
		return;
	}
	lease_set_asker(p->worker.poolmgr, connection_fd(p->connection));
	answer(p);
	lease_set_asker(p->worker.poolmgr, -1);
	if (p->response.body_len > LARGE_BYTES)
		slow_timer_fire(&p->slow_timer);
	if (p->response.status == 0)
		connection_abandon(p->connection);
	else if (connection_end(p->connection, parts, response_parts(&p->response, parts), &err) < 0)
		log_info("answer with status %d not delivered: %s", p->response.status, err.msg);
	response_trim(&p->response);
	trim_buf(&p->body);
	if (p->worker.service->after_request != NULL)
		p->worker.service->after_request(&p->worker);
	log_set_request(NULL);
}

/* Returns whether there was a request. */
static bool accept_one(struct process *p, int lane)
{
	struct slot *slot = p->worker.slot;

	if (!lanes_enter(p->lanes, slot, lane))
		return false;
	int fd = lanes_accept(p->lanes, lane);
	if (fd < 0) {
		lanes_leave(p->lanes, slot);
		if (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR)
			return false; /* another worker has taken it, or the client has left */
		if (errno == EINVAL)
			return false; /* the master has shut the socket down: the signal to stop has arrived or is about to */
		log_error("accept: %s", strerror(errno));
		usleep(ACCEPT_PAUSE_US);
		return false;
	}
	atomic_store(&slot->state, SLOT_BUSY);
	p->worker.lane = lane;
	p->accepted_us = clock_mono_us();
	p->slow_timer.due_us = p->turn.limit > 0 ? p->accepted_us + SLOW_US : INT64_MAX;
	serve(p, fd);
	p->slow_timer.due_us = INT64_MAX;
	atomic_fetch_add(&slot->requests, 1);
	atomic_store(&slot->state, SLOT_IDLE);
	lanes_leave(p->lanes, slot);
	return true;
}

static bool last_took_long(const struct process *p)
{
	return clock_mono_us() - p->accepted_us >= SLOW_US;
}

static bool has_to_stop(const struct process *p)
{
	struct pollfd fds[] = {{.fd = p->signal_fd, .events = POLLIN}, {.fd = INHERITED_LIFE_FD, .events = POLLIN}};

	return poll(fds, ARRAY_SIZE(fds), 0) > 0;
}

/*
 * Serves requests of a lane. A worker that has lost its turn, because the request took long, but still keeps the sandbox
 * continues in this lane as long as slow requests wait there and other workers are free; that saves a conversation with
 * poolmgr. Fast requests are left to the workers with a turn.
 */
static void accept_from(struct process *p, int lane)
{
	if (!turn_has(&p->turn) || !accept_one(p, lane))
		return;
	while (!turn_take(&p->turn)) {
		lease_hear(p->worker.poolmgr);
		if (!last_took_long(p) || !lease_keeps_any(p->worker.poolmgr) || has_to_stop(p) ||
		    !lanes_workers_abound(p->lanes) || !accept_one(p, lane)) {
			lease_give_back(p->worker.poolmgr);
			return;
		}
	}
}

/* Handles one event. Returns a reason to stop, or NULL. */
static const char *on_event(struct process *p, int fd)
{
	int lane = lanes_find(p->lanes, fd);

	if (fd == p->signal_fd)
		return "told to";
	if (fd == INHERITED_LIFE_FD)
		return "the master is gone";
	if (lane >= 0)
		accept_from(p, lane);
	else if (fd == INHERITED_TURN_FD)
		turn_on_wake(&p->turn);
	else
		lease_hear(p->worker.poolmgr);
	return NULL;
}

/* Called when no event has come for a while. */
static void look_around(struct process *p)
{
	struct err err = {0};

	p->look_us = clock_mono_us() + LOOK_US;
	/*
	 * A slow request costs its worker the turn only for a moment. A worker that stands by for longer leaves the lanes,
	 * because the kernel walks past all watchers of a socket to find one that waits.
	 */
	if (!turn_take(&p->turn) && lanes_watch(p->lanes, false, &err) < 0)
		log_error("%s", err.msg);
	for (int lane = 0; lane < lanes_count(p->lanes); lane++)
		accept_from(p, lane);
}

/*
 * Serves requests until there is a reason to stop, which it returns. The kernel wakes one worker for a request. If that worker
 * stops without serving it, the request waits until the next one wakes a worker. So the worker serves the lanes it was woken
 * for before it stops; and because a worker can be killed at that moment, the others also look at times without being woken.
 * epoll(7) reports ready lanes in turn.
 */
static const char *serve_requests(struct process *p)
{
	struct epoll_event events[4];
	const char *reason = NULL;
	struct err err;

	atomic_store(&p->worker.slot->state, SLOT_IDLE);
	while (reason == NULL) {
		if (adjust_watches(p, &err) < 0) {
			log_error("%s", err.msg);
			return "it cannot wait for requests";
		}
		int64_t now_us = clock_mono_us();
		int64_t due_us = MIN(p->look_us, lease_expire(p->worker.poolmgr, now_us));
		bool accepts = turn_has(&p->turn);
		if (accepts && lanes_any_shut(p->lanes))
			due_us = MIN(due_us, now_us + LOOK_SHUT_US);
		int n = epoll_wait(accepts ? p->accept_fd : p->stand_by_fd, events, ARRAY_SIZE(events), clock_left_ms(due_us));
		for (int i = 0; i < n; i++)
			reason = on_event(p, events[i].data.fd) ?: reason;
		if (n == 0 && clock_mono_us() >= p->look_us)
			look_around(p);
		if (n > 0)
			p->look_us = now_us + LOOK_US;
	}
	return reason;
}

/* Waits for the gate, which a new berthd opens when it has taken over from the old one. Returns NULL, or a reason to stop. */
static const char *wait_for_gate(const struct process *p)
{
	struct pollfd fds[] = {{.fd = INHERITED_GATE_FD, .events = POLLIN},
			       {.fd = p->signal_fd, .events = POLLIN},
			       {.fd = INHERITED_LIFE_FD, .events = POLLIN}};

	atomic_store(&p->worker.slot->state, SLOT_IDLE);
	while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		;
	return fds[1].revents != 0 ? "told to" : fds[0].revents == 0 ? "the master is gone" : NULL;
}

int worker_run(const struct inherited *inherited, const struct service *service)
{
	AUTO(process_free) struct process p = {.worker.service = service, .signal_fd = -1, .accept_fd = -1, .stand_by_fd = -1};
	p.slow_timer = (struct slow_timer){.due_us = INT64_MAX, .over = on_slow, .arg = &p};
	struct err err = {0};

	/* A fixed threshold disables glibc's dynamic one, so that large buffers are always returned to the system. */
	mallopt(M_MMAP_THRESHOLD, TRIM_ABOVE);
	if (worker_init(&p, inherited, &err) < 0 || connection_new(&p.connection, &err) < 0 || signals_init(&p, &err) < 0 ||
	    events_init(&p, &err) < 0) {
		log_error("cannot start: %s", err.msg);
		return EXIT_FAILURE;
	}
	log_debug("ready");
	const char *reason = wait_for_gate(&p) ?: serve_requests(&p);
	atomic_store(&p.worker.slot->state, SLOT_STOPPING);
	turn_pass(&p.turn);
	log_debug("stopping: %s", reason);
	return EXIT_SUCCESS;
}
