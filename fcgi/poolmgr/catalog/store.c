#include "poolmgr/catalog/store.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "db/db_connect.h"
#include "db/db_error.h"
#include "db/db_spec.h"
#include "db/db_statement.h"
#include "poolmgr/node/watch.h"

#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS  5000

/* A query that waits or is under way. Each lookup is a worker that waits for it, which bounds the queue. */
struct query {
	const struct db_statement *statement;
	struct db_param params[2];
	char *text; /* the first of them */
	/* Tells whoever asked; result NULL: err says why. */
	void (*answer)(const struct query *query, const struct err *err, const PGresult *result);
	union {
		store_fn data;
		store_spec_fn spec;
	} done;
	void *arg;
	struct query *prev, *next;
};

static const struct db_statement kept_get = {
	.name = "kept",
	.sql = "SELECT json_agg(function_id) FROM functions JOIN function_versions USING (function_id, version) "
	       "WHERE min_warm > 0",
	.reads = true,
	.binary = true,
};
static const struct db_statement package_get = {
	.name = "package",
	.sql = "SELECT archive FROM packages WHERE sha256 = $1::text",
	.param_count = 1,
	.reads = true,
	.binary = true,
};

/* Prepared at every connect, after the session has begun and listens. */
static const struct db_statement *const prepared[] = {&db_spec_get, &kept_get, &package_get};
enum { SETUP_SESSION, SETUP_LISTEN, SETUP_PREPARE, SETUP_STEPS = SETUP_PREPARE + ARRAY_SIZE(prepared) };

enum link_state { CLOSED, CONNECTING, PREPARING, READY };

static uv_loop_t *loop;
static const struct conf *conf;
static struct store_hooks hooks;

static PGconn *pg;
static enum link_state state;
static size_t setup_done; /* of SETUP_STEPS */
static bool busy;         /* something was sent whose result is not there */
static struct watch *watch;
static uv_timer_t timer; /* CLOSED: the next try; else the deadline of what is under way */
static int64_t retry_ms = RETRY_FIRST_MS;
static struct query *queue; /* when READY and busy, the first one is under way */
static bool told_down;      /* one log line per outage */
static struct err problem = {.msg = "PostgreSQL was not asked yet"};

static void on_timer(uv_timer_t *t);
static void send_next(void);

static void set_timer(int64_t after_ms)
{
	uv_timer_start(&timer, on_timer, (uint64_t)after_ms, 0);
}

static void finish_query(const struct err *err, const PGresult *result)
{
	struct query *q = queue;

	DL_DELETE(queue, q);
	q->answer(q, err, result);
	free(q->text);
	free(q);
}

/*
 * Gives the connection up, because of what problem says. Those who wait are told, save the ones that ask anew because of it.
 * All that can go wrong has one code for them.
 */
static void disconnect(void)
{
	struct query *last;

	problem.code = ENOTCONN;
	if (!told_down)
		log_warn("%s", problem.msg);
	told_down = true;

	watch_free(&watch);
	PQfinish(pg);
	pg = NULL;
	state = CLOSED;
	busy = false;
	set_timer(retry_ms);
	retry_ms = MIN(retry_ms * 2, RETRY_MOST_MS);

	const struct err err = problem;
	last = queue ? queue->prev : NULL;
	while (queue != NULL) {
		bool was_last = queue == last;
		finish_query(&err, NULL);
		if (was_last)
			break;
	}
}

/* ---- A live connection ---- */

static void become_ready(void)
{
	state = READY;
	retry_ms = RETRY_FIRST_MS;
	problem = (struct err){0};
	log_info("connected to PostgreSQL");
	told_down = false;
	hooks.connected();
}

static int send_setup_step(void)
{
	const struct db_param timeout = db_connect_timeout(conf);

	if (setup_done == SETUP_SESSION)
		return db_statement_send(pg, &db_connect_session, &timeout);
	if (setup_done == SETUP_LISTEN)
		return PQsendQuery(pg, "LISTEN berth_functions");
	return db_statement_prepare(pg, prepared[setup_done - SETUP_PREPARE]);
}

static void send_next(void)
{
	if (busy || state < PREPARING)
		return;
	if (state == PREPARING && setup_done == SETUP_STEPS)
		become_ready();
	if (busy) /* whoever heard of that has asked already */
		return;
	if (state == READY && queue == NULL) {
		uv_timer_stop(&timer);
		return;
	}
	busy = true;
	if ((state == PREPARING ? send_setup_step() : db_statement_send(pg, queue->statement, queue->params)) == 0) {
		set_timer(0); /* disconnects; not from in here, where the caller may be the one to be told */
		return;
	}
	set_timer(db_connect_answer_ms(conf));
	watch_set_events(watch, PQflush(pg) == 1 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void take_result(PGresult *r)
{
	struct err err = {0};
	enum db_outcome outcome = db_error_judge(pg, r, &err);

	/* While it prepares, a refusal is the end: the schema is not there yet, for example. */
	if (outcome != DB_DONE && (outcome != DB_REFUSED || state == PREPARING)) {
		problem = err;
		disconnect();
	} else if (outcome == DB_REFUSED) {
		err.code = ENOTCONN;
		finish_query(&err, NULL);
	} else if (state == PREPARING) {
		setup_done++;
	} else {
		finish_query(NULL, r);
	}
}

static void take_notifications(void)
{
	PGnotify *n;

	while (pg != NULL && (n = PQnotifies(pg)) != NULL) {
		json_t *json = json_loads(n->extra, 0, NULL);
		const char *id = json_string_value(json_object_get(json, "function_id"));
		if (id != NULL)
			hooks.changed(id, json_integer_value(json_object_get(json, "version")));
		json_decref(json);
		PQfreemem(n);
	}
}

static void on_ready_socket(int events)
{
	if ((events & UV_WRITABLE) && PQflush(pg) == 0)
		watch_set_events(watch, UV_READABLE);
	if (!(events & UV_READABLE))
		return;
	if (!PQconsumeInput(pg)) {
		db_error_lost(pg, &problem);
		disconnect();
		return;
	}
	while (busy && pg != NULL && !PQisBusy(pg)) {
		PGresult *r = PQgetResult(pg);
		if (r == NULL)
			busy = false;
		else
			take_result(r);
		PQclear(r);
	}
	take_notifications();
	send_next();
}

/* ---- Connecting ---- */

static void on_socket(int events, void *arg);

static void watch_connect(PostgresPollingStatusType want)
{
	watch_free(&watch);
	watch = watch_new(loop, PQsocket(pg), want == PGRES_POLLING_READING ? UV_READABLE : UV_WRITABLE, on_socket, NULL);
}

static void on_connecting_socket(void)
{
	PostgresPollingStatusType want = PQconnectPoll(pg);

	if (want == PGRES_POLLING_FAILED) {
		db_error_unreachable(pg, conf->database_connect_timeout_ms, &problem);
		disconnect();
	} else if (want == PGRES_POLLING_OK) {
		PQsetnonblocking(pg, 1);
		state = PREPARING;
		setup_done = 0;
		watch_connect(PGRES_POLLING_READING);
		send_next();
	} else {
		watch_connect(want); /* libpq may have moved to another socket */
	}
}

static void on_socket(int events, void *arg)
{
	(void)arg;
	if (state == CONNECTING)
		on_connecting_socket();
	else
		on_ready_socket(events);
}

static void start_connecting(void)
{
	pg = db_connect_start(conf, "berth poolmgr");
	if (PQstatus(pg) == CONNECTION_BAD) {
		db_error_unreachable(pg, conf->database_connect_timeout_ms, &problem);
		disconnect();
		return;
	}
	state = CONNECTING;
	set_timer(conf->database_connect_timeout_ms);
	watch_connect(PGRES_POLLING_WRITING);
}

static void on_timer(uv_timer_t *t)
{
	(void)t;
	if (state == CLOSED) {
		start_connecting();
		return;
	}
	if (state == CONNECTING)
		db_error_unreachable(pg, conf->database_connect_timeout_ms, &problem);
	else if (PQstatus(pg) == CONNECTION_BAD)
		db_error_lost(pg, &problem);
	else
		db_error_silent(&problem);
	disconnect();
}

void store_init(uv_loop_t *l, const struct conf *c, const struct store_hooks *h)
{
	loop = l;
	conf = c;
	hooks = *h;
	uv_timer_init(loop, &timer);
	set_timer(0);
}

/* ---- Asking ---- */

/* what: the statement, and who is told in which way. */
static void ask(struct query what, const char *text, int64_t number)
{
	struct query *q = mem_alloc(sizeof(*q));

	*q = what;
	q->text = mem_strdup(text);
	q->params[0] = db_text(q->text);
	q->params[1] = db_int(number);
	DL_APPEND(queue, q);
	if (state == CLOSED)
		set_timer(0); /* somebody wants to know: try now, and tell him */
	send_next();
}

static void answer_nobody(const struct query *q, const struct err *err, const PGresult *r)
{
	(void)q;
	(void)err;
	(void)r;
}

/* The only column of the only row. */
static void answer_data(const struct query *q, const struct err *err, const PGresult *r)
{
	if (r == NULL || PQntuples(r) == 0 || PQgetisnull(r, 0, 0))
		q->done.data(err, NULL, 0, q->arg);
	else
		q->done.data(NULL, PQgetvalue(r, 0, 0), (size_t)PQgetlength(r, 0, 0), q->arg);
}

static void answer_spec(const struct query *q, const struct err *err, const PGresult *r)
{
	struct spec *spec = NULL;
	struct err bad;

	if (r != NULL && PQntuples(r) > 0 && db_spec_from_row(r, 0, &spec, &bad) < 0)
		err = &bad;
	q->done.spec(err, spec, q->arg);
}

void store_set_conf(const struct conf *c)
{
	bool changed = c->database_statement_timeout_ms != conf->database_statement_timeout_ms;
	const struct db_param timeout = db_connect_timeout(c);

	conf = c;
	if (changed && state >= PREPARING) /* a session that is yet to begin will be told */
		ask((struct query){.statement = &db_connect_session, .answer = answer_nobody}, db_param_value(&timeout), 0);
}

void store_lookup(const char *ref, uint32_t version, store_spec_fn done, void *arg)
{
	ask((struct query){.statement = &db_spec_get, .answer = answer_spec, .done.spec = done, .arg = arg}, ref, version);
}

void store_package(const char *sha256, store_fn done, void *arg)
{
	ask((struct query){.statement = &package_get, .answer = answer_data, .done.data = done, .arg = arg}, sha256, 0);
}

void store_kept(store_fn done, void *arg)
{
	ask((struct query){.statement = &kept_get, .answer = answer_data, .done.data = done, .arg = arg}, "", 0);
}

bool store_is_up(void)
{
	return state == READY;
}

const char *store_problem(void)
{
	return state == READY ? "" : problem.msg;
}

int64_t store_retry_ms(void)
{
	return retry_ms;
}
