/*
 * The follower: GET /functions/{id}/logs?after=…, which waits until there is something new. One process holds all requests that
 * wait, where a control worker could hold but one; it asks PostgreSQL for all of them together, twice a second, and when there
 * is something new goes round: one of them, then whoever has just come, then the next one. An answer is bounded, so nobody
 * waits long for another one's. The master starts one. When it is to stop it answers who waits with what there is: nothing, and
 * the place to go on from.
 */
#include "follow/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "api/db_log.h"
#include "api/db_problem.h"
#include "api/log_format.h"
#include "api/log_row.h"
#include "api/memory.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/db_metrics.h"
#include "http/connection.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/response.h"
#include "ipc/heritage.h"
#include "ipc/pulse.h"
#include "ipc/scoreboard.h"

#define LOOK_US         500000
#define READ_TIMEOUT_MS 1000 /* nginx has the whole request when it connects */
#define WAIT_DEFAULT_S  25
#define WAIT_MAX_S      60
#define LIMIT_DEFAULT   20
#define LIMIT_MAX       100
#define PAGE_BYTES      LOG_PAGE_BYTES /* the first log is told as far as it fits, others only whole */

/* One request. */
struct waiter {
	struct connection *connection;
	struct request request;
	struct response response;
	char function_id[UUID_TEXT_SIZE];
	struct log_place place;
	int64_t limit, deadline_us;
	struct waiter *prev, *next;
};

struct follower {
	const struct conf *conf;
	struct scoreboard *board; /* shared with the master */
	struct slot *slot;        /* this process's own */
	struct db *db;
	struct waiter *waiters;
	int count;
	int signal_fd;
	int64_t look_us; /* when to ask PostgreSQL next */

	/* The round. */
	struct waiter *round; /* whose turn it is next; NULL: there is none under way */
	bool any;             /* there is something new, perhaps */
};

static void no_handler(struct worker *w, const struct request *request, struct response *response)
{
	(void)w, (void)request, (void)response; /* what it would do is done in steps */
}

const struct route follow_routes[] = {
	{METHOD_GET, "/functions/{id}/logs", "after wait_s limit", ROUTE_NO_BODY, no_handler},
};
const size_t follow_route_count = ARRAY_SIZE(follow_routes);

static void waiter_free(struct waiter **waiter)
{
	if (*waiter == NULL)
		return;
	connection_free(&(*waiter)->connection);
	response_free(&(*waiter)->response);
	mem_free(waiter);
}

/* Sends what response holds; the waiter, in no list, is gone. */
static void finish(struct follower *f, struct waiter *w)
{
	struct err err;

	if (w->response.status != 0 && connection_end(w->connection, &w->response.out, &err) < 0)
		log_debug("answer not delivered: %s", err.msg);
	atomic_fetch_add(&f->slot->requests, 1);
	waiter_free(&w);
	memory_rest();
}

/* "<transaction>", or "<transaction>.<us since 1970>.<uuid>". */
static int parse_place(const char *text, struct log_place *place, struct err *err)
{
	size_t digits = text != NULL ? strspn(text, "0123456789") : 0, more;
	struct uuid id;

	*place = (struct log_place){.stored_in = -1};
	if (text == NULL)
		return 0;
	if (digits == 0 || digits > 18)
		return err_set(err, 0, "'after' must be the 'next' of an earlier answer");
	place->stored_in = strtoll(text, NULL, 10);
	if (text[digits] == '\0')
		return 0;
	more = strspn(text + digits + 1, "0123456789");
	if (text[digits] != '.' || more == 0 || more > 17 || text[digits + 1 + more] != '.' ||
	    !uuid_parse(text + digits + more + 2, &id))
		return err_set(err, 0, "'after' must be the 'next' of an earlier answer");
	place->in_midst = true;
	place->at_us = strtoll(text + digits + 1, NULL, 10);
	place->id = id;
	return 0;
}

static void respond(struct waiter *w, const PGresult *logs)
{
	AUTO(buf_free) struct buf json = {0};
	int count = logs != NULL && !PQgetisnull(logs, 0, LOG_INVOCATION_ID) ? PQntuples(logs) : 0;

	buf_add_str(&json, "{\"items\":[");
	for (int row = 0; row < count; row++) {
		size_t before = json.len;
		buf_add_str(&json, row > 0 ? "," : "");
		bool whole = log_row_json(logs, row, 0, &json);
		/* The rest is for the next request. */
		if (row > 0 && (!whole || json.len > PAGE_BYTES)) {
			json.len = before;
			db_log_place(logs, row - 1, &w->place);
			break;
		}
	}
	buf_printf(&json, "],\"next\":\"%" PRId64, w->place.stored_in);
	if (w->place.in_midst) {
		char id[UUID_TEXT_SIZE];
		uuid_format(&w->place.id, id);
		buf_printf(&json, ".%" PRId64 ".%s", w->place.at_us, id);
	}
	buf_add_str(&json, "\"}");
	response_body(&w->response, 200, "application/json", &(struct str){json.data, (uint32_t)json.len}, 1);
}

/* Answers when there is something, or must be: then returns true. */
static bool look(struct follower *f, struct waiter *w, bool at_once)
{
	AUTO(db_result_clear) PGresult *logs = NULL;
	struct err err;

	if (db_logs_after(f->db, w->function_id, (int)w->limit, PAGE_BYTES, &w->place, &logs, &err) < 0) {
		db_problem_respond(&w->response, &err, w->request.segments[1]);
		return true;
	}
	if (!at_once && PQgetisnull(logs, 0, LOG_INVOCATION_ID))
		return false;
	respond(w, logs);
	return true;
}

/* Reads what is asked for. Returns whether it is to wait: else it is answered. */
static bool take_request(struct follower *f, struct waiter *w)
{
	const char *after = request_param(&w->request, "after");
	int64_t wait_s = WAIT_DEFAULT_S;
	struct err err;

	w->limit = LIMIT_DEFAULT;
	if (parse_place(after, &w->place, &err) < 0 ||
	    request_param_int(&w->request, "wait_s", 0, WAIT_MAX_S, &wait_s, &err) < 0 ||
	    request_param_int(&w->request, "limit", 1, LIMIT_MAX, &w->limit, &err) < 0) {
		problem_respond(&w->response, PROBLEM_INVALID_REQUEST, NULL, "%s", err.msg);
		return false;
	}
	if (db_function_id(f->db, w->request.segments[1], w->function_id, &err) < 0) {
		db_problem_respond(&w->response, &err, w->request.segments[1]);
		return false;
	}
	w->deadline_us = clock_mono_us() + wait_s * 1000000;
	if (look(f, w, after == NULL || wait_s == 0))
		return false;
	if (f->count >= f->conf->follow_max_waiting) {
		problem_respond(&w->response, PROBLEM_OVERLOADED, NULL,
				"%d requests already follow logs, which is the limit (follow.max_waiting)", f->count);
		return false;
	}
	return true;
}

static const char *variable(void *context, const char *name)
{
	return connection_variable(context, name);
}

static bool begin(struct follower *f, struct waiter *w, int fd)
{
	struct err err;

	if (connection_new(&w->connection, &err) < 0) {
		log_error("%s", err.msg);
		close(fd);
		return false;
	}
	if (connection_begin(w->connection, fd, READ_TIMEOUT_MS, &err) < 0) {
		log_debug("%s", err.msg);
		return false;
	}
	struct request_source source = {
		.method = connection_variable(w->connection, "REQUEST_METHOD"),
		.uri = connection_variable(w->connection, "REQUEST_URI"),
		.query = connection_variable(w->connection, "QUERY_STRING"),
		.variable = variable,
		.context = w->connection,
		.now_us = clock_wall_us(),
	};
	int rc = request_parse(&source, &w->request, &err);
	response_begin(&w->response, &w->request);
	if (rc < 0)
		problem_respond(&w->response, PROBLEM_INVALID_REQUEST, NULL, "The request is invalid: %s", err.msg);
	return rc == 0 && route_select(follow_routes, follow_route_count, f->conf, &w->request, &w->response) != NULL;
}

static void accept_one(struct follower *f)
{
	int fd = accept4(HERITAGE_LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	struct waiter *w = mem_alloc(sizeof(*w));
	bool sound = begin(f, w, fd);
	log_set_request(w->request.id);
	if (sound && take_request(f, w)) {
		DL_APPEND(f->waiters, w);
		f->count++;
	} else {
		finish(f, w);
	}
	log_set_request(NULL);
}

static void leave(struct follower *f, struct waiter *w)
{
	if (f->round == w)
		f->round = w->next;
	DL_DELETE(f->waiters, w);
	f->count--;
	finish(f, w);
}

/* From where on logs are news for somebody. */
static int64_t least_place(const struct follower *f)
{
	const struct waiter *w;
	int64_t least = INT64_MAX;

	DL_FOREACH (f->waiters, w)
		least = MIN(least, w->place.stored_in);
	return least;
}

static void begin_round(struct follower *f)
{
	struct err err;

	f->look_us = clock_mono_us() + LOOK_US;
	f->round = f->waiters;
	f->any = true;
	/* When it cannot be asked each is told so, as it asks itself. */
	if (db_logs_since(f->db, least_place(f), &f->any, &err) < 0)
		f->any = true;
}

/* Goes on with the round, up to the first for whom PostgreSQL was asked. */
static void go_round(struct follower *f)
{
	int64_t now_us = clock_mono_us();
	bool asked = false;

	while (f->round != NULL && !asked) {
		struct waiter *w = f->round;
		bool late = now_us >= w->deadline_us;
		f->round = w->next;
		log_set_request(w->request.id);
		if (connection_is_gone(w->connection)) {
			connection_abandon(w->connection);
			leave(f, w);
		} else if (f->any || late) {
			asked = true;
			if (look(f, w, late))
				leave(f, w);
		}
	}
	log_set_request(NULL);
}

static int init(struct follower *f, const struct heritage *h, struct err *err)
{
	sigset_t blocked;

	f->conf = h->conf;
	if (memory_bound(h->conf, err) < 0)
		return -1;
	if (sodium_init() < 0)
		return err_set(err, 0, "initialise libsodium");
	if (scoreboard_attach(HERITAGE_SCOREBOARD_FD, &f->board, err) < 0)
		return -1;
	f->slot = scoreboard_slot(f->board, h->slot);
	pulse_begin(f->slot);
	f->db = db_new(h->conf, "berth-follow");
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	if (sigprocmask(SIG_SETMASK, &blocked, NULL) < 0)
		return err_set(err, errno, "block signals");
	signal(SIGPIPE, SIG_IGN);
	f->signal_fd = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
	return f->signal_fd < 0 ? err_set(err, errno, "signalfd") : 0;
}

/* Before the gate opens another berthd's follower is served requests. */
static void serve(struct follower *f)
{
	struct pollfd fds[] = {{.fd = f->signal_fd, .events = POLLIN},
			       {.fd = HERITAGE_LIFE_FD, .events = POLLIN},
			       {.fd = HERITAGE_GATE_FD, .events = POLLIN}};
	const int gate = 2;

	while (fds[0].revents == 0 && fds[1].revents == 0) {
		int64_t work_us = f->round != NULL ? 0 : f->waiters != NULL ? f->look_us : INT64_MAX;
		int64_t due_us = pulse_due_us(work_us);
		pulse_beat();
		if (poll(fds, ARRAY_SIZE(fds), clock_left_ms(due_us)) < 0)
			continue;
		if (fds[gate].revents != 0 && fds[gate].fd == HERITAGE_GATE_FD)
			fds[gate].fd = HERITAGE_LISTEN_FD;
		else if (fds[gate].revents != 0)
			accept_one(f);
		if (f->round == NULL && f->waiters != NULL && clock_mono_us() >= f->look_us)
			begin_round(f);
		go_round(f);
		db_log_news(f->db);
		atomic_store(&f->slot->state, f->waiters != NULL ? SLOT_BUSY : SLOT_IDLE);
	}
}

static void dismiss_all(struct follower *f)
{
	struct waiter *w, *next;

	DL_FOREACH_SAFE (f->waiters, w, next) {
		respond(w, NULL);
		leave(f, w);
	}
}

static void follower_free(struct follower *f)
{
	db_free(&f->db);
	fd_close(&f->signal_fd);
	scoreboard_close(&f->board);
}

int follow_main(const struct heritage *heritage)
{
	AUTO(follower_free) struct follower f = {.signal_fd = -1};
	struct err err;

	if (init(&f, heritage, &err) < 0) {
		log_error("cannot start: %s", err.msg);
		return EXIT_FAILURE;
	}
	atomic_store(&f.slot->state, SLOT_IDLE);
	serve(&f);
	atomic_store(&f.slot->state, SLOT_STOPPING);
	dismiss_all(&f);
	return EXIT_SUCCESS;
}
