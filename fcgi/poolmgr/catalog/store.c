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
#include "db/db_statement.h"
#include "poolmgr/node/watch.h"

#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS  5000

/* A query that waits or is under way. A worker waits for each lookup, which bounds the queue. */
struct query {
	const struct db_statement *statement;
	struct db_param params[2];
	char *text; /* the first queries are of this kind */
	store_fn done;
	void *arg;
	struct query *prev, *next;
};

static const struct db_statement spec_get = {
	.name = "spec", .sql = "SELECT function_spec($1::text, $2::int)", .param_count = 2, .reads = true, .binary = true};
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

/* Prepared at every connect, after the session statement and LISTEN. */
static const struct db_statement *const prepared[] = {&spec_get, &kept_get, &package_get};
enum { SETUP_SESSION, SETUP_LISTEN, SETUP_PREPARE, SETUP_STEPS = SETUP_PREPARE + ARRAY_SIZE(prepared) };

enum link_state { CLOSED, CONNECTING, PREPARING, READY };

static uv_loop_t *loop;
static const struct conf *conf;
static struct store_hooks hooks;

static PGconn *pg;
static enum link_state state;
static size_t setup_done; /* index of the current step of SETUP_STEPS */
static bool busy;         /* a statement was sent whose result has not arrived */
static struct watch *watch;
static uv_timer_t timer; /* CLOSED: when to try again; otherwise the deadline of the current step */
static int64_t retry_ms = RETRY_FIRST_MS;
static struct query *queue; /* when READY and busy, the first query is under way */
static bool told_down;      /* one log line per outage */
static struct err problem = {.msg = "PostgreSQL was not asked yet"};

static void on_timer(uv_timer_t *t);
static void send_next(void);

static void set_timer(int64_t after_ms)
{
	uv_timer_start(&timer, on_timer, (uint64_t)after_ms, 0);
}

static void finish_query(const struct err *err, const char *data, size_t len)
{
	struct query *q = queue;

	DL_DELETE(queue, q);
	q->done(err, data, len, q->arg);
	free(q->text);
	free(q);
}

/*
 * Gives the connection up because of problem. All waiting queries fail with the same code, except those that are asked in
 * reaction to this.
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
		finish_query(&err, NULL, 0);
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
	if (busy) /* the receiver of the failure has asked again already */
		return;
	if (state == READY && queue == NULL) {
		uv_timer_stop(&timer);
		return;
	}
	busy = true;
	if ((state == PREPARING ? send_setup_step() : db_statement_send(pg, queue->statement, queue->params)) == 0) {
		set_timer(0); /* the timer disconnects; not done here, because the caller may be the one to be told */
		return;
	}
	set_timer(db_connect_answer_ms(conf));
	watch_set_events(watch, PQflush(pg) == 1 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void take_result(PGresult *r)
{
	struct err err = {0};
	enum db_outcome outcome = db_error_judge(pg, r, &err);

	/* A refusal during set-up ends the connection; the schema may not exist yet, for example. */
	if (outcome != DB_DONE && (outcome != DB_REFUSED || state == PREPARING)) {
		problem = err;
		disconnect();
	} else if (outcome == DB_REFUSED) {
		err.code = ENOTCONN;
		finish_query(&err, NULL, 0);
	} else if (state == PREPARING) {
		setup_done++;
	} else if (PQntuples(r) == 0 || PQgetisnull(r, 0, 0)) {
		finish_query(NULL, NULL, 0);
	} else {
		finish_query(NULL, PQgetvalue(r, 0, 0), (size_t)PQgetlength(r, 0, 0));
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
		watch_connect(want); /* libpq may use another socket now */
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

static void ask(const struct db_statement *statement, const char *text, int64_t number, store_fn done, void *arg)
{
	struct query *q = mem_alloc(sizeof(*q));

	q->statement = statement;
	q->text = mem_strdup(text);
	q->params[0] = db_text(q->text);
	q->params[1] = db_int(number);
	q->done = done;
	q->arg = arg;
	DL_APPEND(queue, q);
	if (state == CLOSED)
		set_timer(0); /* a caller needs an answer: try now, and report the result */
	send_next();
}

static void ignore(const struct err *err, const char *data, size_t len, void *arg)
{
	(void)err;
	(void)data;
	(void)len;
	(void)arg;
}

void store_set_conf(const struct conf *c)
{
	bool changed = c->database_statement_timeout_ms != conf->database_statement_timeout_ms;
	const struct db_param timeout = db_connect_timeout(c);

	conf = c;
	if (changed && state >= PREPARING) /* a session that has not begun will get the new timeout when it begins */
		ask(&db_connect_session, db_param_value(&timeout), 0, ignore, NULL);
}

void store_lookup(const char *ref, uint32_t version, store_fn done, void *arg)
{
	ask(&spec_get, ref, version, done, arg);
}

void store_package(const char *sha256, store_fn done, void *arg)
{
	ask(&package_get, sha256, 0, done, arg);
}

void store_kept(store_fn done, void *arg)
{
	ask(&kept_get, "", 0, done, arg);
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
