/*
 * The process that answers GET /functions/{id}/logs?after=…, which waits until there are new logs. One process holds all
 * waiting requests, whereas a control worker could hold only one. It never waits for PostgreSQL: twice a second it sends one
 * statement for all waiting requests and continues its loop. New requests have a second connection, so that neither group
 * delays the other. The size of a result is bounded, so no request waits long for another's answer. The master starts one such
 * process. When it is told to stop, it answers all waiting requests with an empty list and the place to continue from.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "api/db_problem.h"
#include "api/memory.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "follow/asking.h"
#include "follow/follower.h"
#include "http/problem.h"
#include "ipc/heartbeat.h"
#include "ipc/inherited.h"
#include "ipc/scoreboard.h"

#define LOOK_US       500000
#define NEWCOMERS_MAX 64 /* further requests wait in the backlog of the socket */

/* Requests for which one statement asks PostgreSQL. */
struct group {
	struct follower *list;
	int count;
	int64_t ask_us; /* when to ask next */
	struct asking *asking;
};

struct process {
	const struct conf *conf;
	struct scoreboard *board; /* shared with the master */
	struct slot *slot;        /* this process's own */
	struct group newcomers, waiting;
	int signal_fd;
};

static void join(struct group *g, struct follower *f)
{
	DL_APPEND(g->list, f);
	g->count++;
}

static void leave(struct group *g, struct follower *f)
{
	asking_forget(g->asking, f);
	DL_DELETE(g->list, f);
	g->count--;
}

/* Ends a request that is in no group any more. */
static void end(struct process *p, struct follower *f)
{
	atomic_fetch_add(&p->slot->requests, 1);
	follower_end(&f);
}

/* There are no new logs for this request, so it waits, if there is room. */
static void wait_on(struct process *p, struct group *g, struct follower *f)
{
	if (g == &p->waiting)
		return;
	leave(g, f);
	if (p->waiting.count < p->conf->follow_max_waiting) {
		join(&p->waiting, f);
		return;
	}
	problem_respond(&f->response, PROBLEM_OVERLOADED, NULL,
			"%d requests already follow logs, which is the limit (follow.max_waiting)", p->waiting.count);
	end(p, f);
}

/* Handles the result for one request of the group. */
static void on_told(struct process *p, struct group *g, struct follower *f, const struct err *err, const PGresult *logs,
		    const struct db_log_reply *news)
{
	struct err unknown;

	if (err == NULL && !news->known) {
		err_set(&unknown, ENOENT, "no such function");
		err = &unknown;
	}
	if (err != NULL) {
		db_problem_respond(&f->response, err, f->request.segments[1]);
		leave(g, f);
		end(p, f);
		return;
	}
	uuid_format(&news->function_id, f->function_id);
	if (news->again) {
		g->ask_us = 0;
	} else if (news->count > 0 || !f->waits) {
		follower_answer(f, logs, news);
		leave(g, f);
		end(p, f);
	} else {
		f->place = news->place;
		wait_on(p, g, f);
	}
}

static void on_newcomer_told(struct follower *f, const struct err *err, const PGresult *logs, const struct db_log_reply *news,
			     void *arg)
{
	struct process *p = arg;

	on_told(p, &p->newcomers, f, err, logs, news);
}

static void on_waiting_told(struct follower *f, const struct err *err, const PGresult *logs, const struct db_log_reply *news,
			    void *arg)
{
	struct process *p = arg;

	on_told(p, &p->waiting, f, err, logs, news);
}

static void drop_who_has_left(struct process *p, struct group *g)
{
	struct follower *f, *next;

	DL_FOREACH_SAFE (g->list, f, next) {
		if (!connection_is_gone(f->connection))
			continue;
		connection_abandon(f->connection);
		leave(g, f);
		end(p, f);
	}
}

/* Asks for the group if it is time. */
static void ask(struct process *p, struct group *g, int64_t pause_us)
{
	int64_t now_us = clock_mono_us();

	if (g->list == NULL || now_us < g->ask_us || !asking_is_free(g->asking))
		return;
	drop_who_has_left(p, g);
	g->ask_us = now_us + pause_us;
	if (g->list == NULL)
		return;
	/* Those that were asked for go to the end, so that the next statement begins with the others. */
	for (size_t count = asking_begin(g->asking, g->list); count > 0; count--) {
		struct follower *f = g->list;
		DL_DELETE(g->list, f);
		DL_APPEND(g->list, f);
	}
}

/* Answers the requests that have waited as long as they wanted, whatever PostgreSQL does. */
static void tell_late(struct process *p, bool all)
{
	struct follower *f, *next;
	int64_t now_us = clock_mono_us();

	DL_FOREACH_SAFE (p->waiting.list, f, next) {
		if (!all && now_us < f->deadline_us)
			continue;
		follower_answer_nothing(f);
		leave(&p->waiting, f);
		end(p, f);
	}
}

static void accept_one(struct process *p)
{
	int fd = accept4(INHERITED_LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	struct follower *f = mem_alloc(sizeof(*f));
	if (follower_begin(f, p->conf, fd))
		join(&p->newcomers, f);
	else
		end(p, f);
	log_set_request(NULL);
}

static int init(struct process *p, const struct inherited *h, struct err *err)
{
	sigset_t blocked;

	p->conf = h->conf;
	if (memory_bound(h->conf, err) < 0)
		return -1;
	if (sodium_init() < 0)
		return err_set(err, 0, "initialise libsodium");
	if (scoreboard_attach(INHERITED_SCOREBOARD_FD, &p->board, err) < 0)
		return -1;
	p->slot = scoreboard_slot(p->board, h->slot);
	heartbeat_begin(p->slot);
	p->newcomers.asking = asking_new(h->conf, on_newcomer_told, p);
	p->waiting.asking = asking_new(h->conf, on_waiting_told, p);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	if (sigprocmask(SIG_SETMASK, &blocked, NULL) < 0)
		return err_set(err, errno, "block signals");
	signal(SIGPIPE, SIG_IGN);
	p->signal_fd = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signal_fd < 0 ? err_set(err, errno, "signalfd") : 0;
}

static int64_t ask_due_us(const struct group *g)
{
	return g->list != NULL && asking_is_free(g->asking) ? g->ask_us : INT64_MAX;
}

/* When the next request will have waited long enough. */
static int64_t late_due_us(const struct process *p)
{
	const struct follower *f;
	int64_t due_us = INT64_MAX;

	DL_FOREACH (p->waiting.list, f)
		due_us = MIN(due_us, f->deadline_us);
	return due_us;
}

enum { SIGNAL, LIFE, DOOR, NEWCOMERS, WAITING, FDS };

static void wait_for_events(const struct process *p, struct pollfd fds[FDS])
{
	const struct db_async_wait newcomers = asking_wait(p->newcomers.asking), waiting = asking_wait(p->waiting.asking);
	int64_t asking_us = MIN(newcomers.due_us, waiting.due_us);
	int64_t ask_us = MIN(ask_due_us(&p->newcomers), ask_due_us(&p->waiting));
	int64_t until_us = MIN(MIN(asking_us, ask_us), late_due_us(p));

	fds[NEWCOMERS] = (struct pollfd){.fd = newcomers.fd, .events = newcomers.events};
	fds[WAITING] = (struct pollfd){.fd = waiting.fd, .events = waiting.events};
	fds[DOOR].events = p->newcomers.count < NEWCOMERS_MAX ? POLLIN : 0;
	heartbeat_now();
	if (poll(fds, FDS, clock_left_ms(heartbeat_due_us(until_us))) < 0)
		for (int i = 0; i < FDS; i++)
			fds[i].revents = 0;
}

/*
 * Runs until the process is told to stop and all new requests are answered. Before the gate opens, the follower of the previous
 * berthd accepts the requests.
 */
static void serve(struct process *p)
{
	struct pollfd fds[FDS] = {[SIGNAL] = {.fd = p->signal_fd, .events = POLLIN},
				  [LIFE] = {.fd = INHERITED_LIFE_FD, .events = POLLIN},
				  [DOOR] = {.fd = INHERITED_GATE_FD}};
	bool stops = false;

	while (!stops || p->newcomers.list != NULL) {
		wait_for_events(p, fds);
		if (fds[SIGNAL].revents != 0 || fds[LIFE].revents != 0) {
			stops = true;
			fds[SIGNAL].fd = fds[LIFE].fd = fds[DOOR].fd = -1;
			atomic_store(&p->slot->state, SLOT_STOPPING);
		} else if (fds[DOOR].revents != 0 && fds[DOOR].fd == INHERITED_GATE_FD) {
			fds[DOOR].fd = INHERITED_LISTEN_FD;
		} else if (fds[DOOR].revents != 0) {
			accept_one(p);
		}
		asking_step(p->newcomers.asking, fds[NEWCOMERS].revents);
		asking_step(p->waiting.asking, fds[WAITING].revents);
		tell_late(p, stops);
		ask(p, &p->newcomers, 0);
		ask(p, &p->waiting, LOOK_US);
		if (!stops)
			atomic_store(&p->slot->state,
				     p->newcomers.list != NULL || p->waiting.list != NULL ? SLOT_BUSY : SLOT_IDLE);
	}
}

static void process_free(struct process *p)
{
	asking_free(&p->newcomers.asking);
	asking_free(&p->waiting.asking);
	fd_close(&p->signal_fd);
	scoreboard_close(&p->board);
}

int follow_main(const struct inherited *inherited)
{
	AUTO(process_free) struct process p = {.signal_fd = -1};
	struct err err;

	if (init(&p, inherited, &err) < 0) {
		log_error("cannot start: %s", err.msg);
		return EXIT_FAILURE;
	}
	atomic_store(&p.slot->state, SLOT_IDLE);
	serve(&p);
	return EXIT_SUCCESS;
}
