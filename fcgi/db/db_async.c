#include "db/db_async.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"
#include "db/db_connect.h"
#include "db/db_error.h"

#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS  5000

/* A question that waits or is under way. */
struct question {
	const struct db_statement *statement;
	const struct db_param *params;
	db_async_fn done;
	void *arg;
	bool repeated;
	struct question *prev, *next;
};

/* The steps at the beginning of a session. From SETUP_PREPARE on, each step prepares one statement. */
enum { SETUP_SESSION, SETUP_LISTEN, SETUP_PREPARE };

enum state { CLOSED, CONNECTING, PREPARING, READY };

struct db_async {
	const struct conf *conf;
	const struct db_async_plan *plan;
	PGconn *pg;
	enum state state;
	size_t setup_done;
	bool busy;           /* a statement was sent whose result has not arrived */
	short events;        /* the events to wait for */
	int64_t due_us;      /* CLOSED: when to try again; otherwise the deadline of the current step */
	unsigned connection; /* increases with each new socket */
	int64_t retry_ms;
	struct question *queue;  /* when READY and busy, the first question is under way */
	struct err problem;      /* why it is not READY */
	struct db_param timeout; /* the parameter of db_connect_session, kept until it was sent */
};

static void set_due(struct db_async *db, int64_t after_ms)
{
	db->due_us = clock_mono_us() + after_ms * 1000;
}

struct db_async *db_async_new(const struct conf *conf, const struct db_async_plan *plan)
{
	struct db_async *db = mem_alloc(sizeof(*db));

	db->conf = conf;
	db->plan = plan;
	db->retry_ms = RETRY_FIRST_MS;
	err_set(&db->problem, 0, "PostgreSQL was not asked yet");
	set_due(db, 0);
	return db;
}

void db_async_free(struct db_async **db)
{
	struct question *q, *next;

	if (*db == NULL)
		return;
	DL_FOREACH_SAFE ((*db)->queue, q, next)
		mem_free(&q);
	PQfinish((*db)->pg);
	mem_free(db);
}

static void answer_first(struct db_async *db, const struct err *err, const PGresult *result)
{
	struct question *q = db->queue;

	DL_DELETE(db->queue, q);
	q->done(err, result, q->arg);
	mem_free(&q);
}

/* Removes the question under way from the queue if it may be repeated after the loss of the connection. NULL: it may not. */
static struct question *take_repeatable(struct db_async *db, bool lost)
{
	struct question *q = db->queue;

	if (!lost || db->state != READY || !db->busy || q == NULL || q->repeated || !q->statement->reads)
		return NULL;
	DL_DELETE(db->queue, q);
	q->repeated = true;
	return q;
}

/*
 * Gives the connection up because of problem. All waiting questions fail, except those that are asked in reaction to this.
 * lost: the connection ended; false: the server did not answer in time.
 */
static void disconnect(struct db_async *db, bool lost)
{
	const struct err why = db->problem;
	struct question *repeatable = take_repeatable(db, lost), *last;

	if (db->plan->hooks.closes != NULL)
		db->plan->hooks.closes(db->plan->hooks.arg);
	PQfinish(db->pg);
	db->pg = NULL;
	db->state = CLOSED;
	db->busy = false;
	set_due(db, db->retry_ms);
	db->retry_ms = MIN(db->retry_ms * 2, RETRY_MOST_MS);
	db->plan->hooks.lost(&why, db->plan->hooks.arg);
	last = db->queue != NULL ? db->queue->prev : NULL;
	while (db->queue != NULL) {
		bool was_last = db->queue == last;
		answer_first(db, &why, NULL);
		if (was_last)
			break;
	}
	if (repeatable != NULL) {
		DL_PREPEND(db->queue, repeatable);
		set_due(db, 0);
	}
}

/* ---- A live connection ---- */

static void become_ready(struct db_async *db)
{
	db->state = READY;
	db->retry_ms = RETRY_FIRST_MS;
	db->problem = (struct err){0};
	db->plan->hooks.connected(db->plan->hooks.arg);
}

static bool is_set_up(const struct db_async *db)
{
	return db->setup_done == SETUP_PREPARE + db->plan->prepared_count;
}

static int send_setup_step(struct db_async *db)
{
	AUTO(mem_free) char *listen = NULL;

	if (db->setup_done == SETUP_SESSION) {
		db->timeout = db_connect_timeout(db->conf);
		return db_statement_send(db->pg, &db_connect_session, &db->timeout);
	}
	if (db->setup_done == SETUP_LISTEN) {
		listen = mem_printf("LISTEN %s", db->plan->listen);
		return PQsendQuery(db->pg, listen);
	}
	return db_statement_prepare(db->pg, db->plan->prepared[db->setup_done - SETUP_PREPARE]);
}

static void send_next(struct db_async *db)
{
	if (db->busy || db->state < PREPARING)
		return;
	if (db->state == PREPARING && db->setup_done == SETUP_LISTEN && db->plan->listen == NULL)
		db->setup_done++;
	if (db->state == PREPARING && is_set_up(db))
		become_ready(db);
	if (db->busy) /* the hook has asked already */
		return;
	if (db->state == READY && db->queue == NULL) {
		db->due_us = INT64_MAX;
		return;
	}
	db->busy = true;
	if ((db->state == PREPARING ? send_setup_step(db)
				    : db_statement_send(db->pg, db->queue->statement, db->queue->params)) == 0) {
		set_due(db, 0); /* the next step disconnects; not done here, because the caller may be the one to be told */
		return;
	}
	set_due(db, db_connect_answer_ms(db->conf));
	db->events = PQflush(db->pg) == 1 ? POLLIN | POLLOUT : POLLIN;
}

static void take_result(struct db_async *db, const PGresult *r)
{
	struct err err = {0};
	enum db_outcome outcome = db_error_judge(db->pg, r, &err);

	if (outcome == DB_STALE) /* a new connection prepares its statements again, so this counts as lost */
		err.code = ENOTCONN;
	/* A refusal during set-up ends the connection; the schema may not exist yet, for example. */
	if (outcome != DB_DONE && (outcome != DB_REFUSED || db->state == PREPARING)) {
		db->problem = err;
		disconnect(db, true);
	} else if (db->state == PREPARING) {
		db->setup_done++;
	} else {
		answer_first(db, outcome == DB_REFUSED ? &err : NULL, outcome == DB_REFUSED ? NULL : r);
	}
}

static void take_notifications(struct db_async *db)
{
	PGnotify *n;

	while (db->pg != NULL && (n = PQnotifies(db->pg)) != NULL) {
		db->plan->hooks.notified(n->extra, db->plan->hooks.arg);
		PQfreemem(n);
	}
}

static void on_ready_socket(struct db_async *db, short events)
{
	if ((events & POLLOUT) && PQflush(db->pg) == 0)
		db->events = POLLIN;
	if (!(events & ~POLLOUT))
		return;
	if (!PQconsumeInput(db->pg)) {
		db_error_lost(db->pg, &db->problem);
		disconnect(db, true);
		return;
	}
	while (db->busy && db->pg != NULL && !PQisBusy(db->pg)) {
		PGresult *r = PQgetResult(db->pg);
		if (r == NULL)
			db->busy = false;
		else
			take_result(db, r);
		PQclear(r);
	}
	take_notifications(db);
	send_next(db);
}

/* ---- Connecting ---- */

static void on_connecting_socket(struct db_async *db)
{
	PostgresPollingStatusType want = PQconnectPoll(db->pg);

	db->connection++; /* libpq may use another socket now */
	if (want == PGRES_POLLING_FAILED) {
		db_error_unreachable(db->pg, db->conf->database_connect_timeout_ms, &db->problem);
		disconnect(db, true);
	} else if (want == PGRES_POLLING_OK) {
		PQsetnonblocking(db->pg, 1);
		db->state = PREPARING;
		db->setup_done = 0;
		db->events = POLLIN;
		send_next(db);
	} else {
		db->events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT;
	}
}

static void start_connecting(struct db_async *db)
{
	db->connection++;
	db->pg = db_connect_start(db->conf, db->plan->application);
	if (PQstatus(db->pg) == CONNECTION_BAD) {
		db_error_unreachable(db->pg, db->conf->database_connect_timeout_ms, &db->problem);
		disconnect(db, true);
		return;
	}
	db->state = CONNECTING;
	db->events = POLLOUT;
	set_due(db, db->conf->database_connect_timeout_ms);
}

static void on_due(struct db_async *db)
{
	bool lost = PQstatus(db->pg) == CONNECTION_BAD;

	if (db->state == CLOSED) {
		start_connecting(db);
		return;
	}
	if (db->state == CONNECTING)
		db_error_unreachable(db->pg, db->conf->database_connect_timeout_ms, &db->problem);
	else if (lost)
		db_error_lost(db->pg, &db->problem);
	else
		db_error_silent(&db->problem);
	disconnect(db, lost);
}

struct db_async_wait db_async_wait(const struct db_async *db)
{
	return (struct db_async_wait){
		.fd = db->pg != NULL ? PQsocket(db->pg) : -1,
		.events = db->events,
		.due_us = db->due_us,
		.connection = db->connection,
	};
}

void db_async_step(struct db_async *db, short events)
{
	if (events != 0 && db->state == CONNECTING)
		on_connecting_socket(db);
	else if (events != 0 && db->state > CONNECTING)
		on_ready_socket(db, events);
	else if (clock_mono_us() >= db->due_us)
		on_due(db);
}

/* ---- Asking ---- */

void db_async_ask(struct db_async *db, const struct db_statement *statement, const struct db_param *params, db_async_fn done,
		  void *arg)
{
	struct question *q = mem_alloc(sizeof(*q));

	q->statement = statement;
	q->params = params;
	q->done = done;
	q->arg = arg;
	DL_APPEND(db->queue, q);
	if (db->state == CLOSED)
		set_due(db, 0); /* a caller needs an answer: try now, and report the result */
	send_next(db);
}

static void ignore(const struct err *err, const PGresult *result, void *arg)
{
	(void)err, (void)result, (void)arg;
}

void db_async_set_conf(struct db_async *db, const struct conf *conf)
{
	bool changed = conf->database_statement_timeout_ms != db->conf->database_statement_timeout_ms;

	db->conf = conf;
	if (!changed || db->state < PREPARING) /* a session that has not begun will get the new timeout when it begins */
		return;
	db->timeout = db_connect_timeout(conf);
	db_async_ask(db, &db_connect_session, &db->timeout, ignore, NULL);
}

const char *db_async_problem(const struct db_async *db)
{
	return db->state == READY ? "" : db->problem.msg;
}

int64_t db_async_retry_ms(const struct db_async *db)
{
	return db->retry_ms;
}
