#include "poolmgr/catalog/store.h"

#include <errno.h>
#include <jansson.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/log.h"
#include "base/mem.h"
#include "poolmgr/node/watch.h"

#define RETRY_FIRST_MS 100
#define RETRY_MOST_MS  5000

/* A query that waits or is under way. Each lookup is a worker that waits for it, which bounds the queue. */
struct query {
	const char *statement; /* prepared at every connect */
	int param_count;
	char *param;
	char version[12];
	store_fn done;
	void *arg;
	struct query *prev, *next;
};

/* Sent one after the other once connected; then come the queries. */
static const struct {
	const char *name; /* NULL: not prepared, just run */
	const char *sql;
} setup[] = {
	{NULL, "LISTEN berth_functions"},
	{"spec", "SELECT function_spec($1::text, $2::int)"},
	{"kept", "SELECT json_agg(function_id) FROM functions JOIN function_versions USING (function_id, version) "
		 "WHERE min_warm > 0"},
	{"package", "SELECT archive FROM packages WHERE sha256 = $1::text"},
};

enum link_state { CLOSED, CONNECTING, PREPARING, READY };

static uv_loop_t *loop;
static const struct conf *conf;
static struct store_hooks hooks;

static PGconn *pg;
static enum link_state state;
static size_t setup_done; /* steps of setup[] */
static bool busy;         /* something was sent whose result is not there */
static struct watch *watch;
static uv_timer_t timer; /* CLOSED: the next try; else the deadline of what is under way */
static int64_t retry_ms = RETRY_FIRST_MS;
static struct query *queue; /* when READY and busy, the first one is under way */
static bool told_down;      /* one log line per outage */
static char problem[400] = "PostgreSQL was not asked yet";

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
	free(q->param);
	free(q);
}

/* Gives the connection up. Those who wait are told, save the ones that ask anew because of it. */
static void disconnect(const char *why)
{
	struct err err = {.code = ENOTCONN};
	struct query *last;

	snprintf(problem, sizeof(problem), "PostgreSQL cannot be reached: %.300s", why);
	problem[strcspn(problem, "\n")] = '\0';
	if (!told_down)
		log_warn("%s", problem);
	told_down = true;

	watch_free(&watch);
	PQfinish(pg);
	pg = NULL;
	state = CLOSED;
	busy = false;
	set_timer(retry_ms);
	retry_ms = MIN(retry_ms * 2, RETRY_MOST_MS);

	snprintf(err.msg, sizeof(err.msg), "%s", problem);
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
	problem[0] = '\0';
	log_info("connected to PostgreSQL");
	told_down = false;
	hooks.connected();
}

static int send_setup_step(void)
{
	if (setup[setup_done].name == NULL)
		return PQsendQuery(pg, setup[setup_done].sql);
	return PQsendPrepare(pg, setup[setup_done].name, setup[setup_done].sql, 0, NULL);
}

static int send_query(const struct query *q)
{
	const char *values[] = {q->param, q->version};

	return PQsendQueryPrepared(pg, q->statement, q->param_count, values, NULL, NULL, 1 /* binary results */);
}

static void send_next(void)
{
	if (busy || state < PREPARING)
		return;
	if (state == PREPARING && setup_done == ARRAY_SIZE(setup))
		become_ready();
	if (busy) /* whoever heard of that has asked already */
		return;
	if (state == READY && queue == NULL) {
		uv_timer_stop(&timer);
		return;
	}
	busy = true;
	if ((state == PREPARING ? send_setup_step() : send_query(queue)) == 0) {
		set_timer(0); /* disconnects; not from in here, where the caller may be the one to be told */
		return;
	}
	set_timer(conf->database_statement_timeout_ms);
	watch_set_events(watch, PQflush(pg) == 1 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

/* The server's last words, which may come before the end of the connection is seen. */
static bool is_goodbye(const PGresult *r)
{
	const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (PQstatus(pg) == CONNECTION_BAD)
		return true;
	return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static void take_result(PGresult *r)
{
	ExecStatusType status = PQresultStatus(r);

	if (state == PREPARING) {
		if (status != PGRES_COMMAND_OK)
			disconnect(PQresultErrorMessage(r)); /* the schema is not there yet, for example */
		else
			setup_done++;
	} else if (is_goodbye(r)) {
		disconnect(PQresultErrorMessage(r));
	} else if (status != PGRES_TUPLES_OK) {
		struct err err = {.code = ENOTCONN};
		snprintf(err.msg, sizeof(err.msg), "PostgreSQL refused: %.300s", PQresultErrorMessage(r));
		err.msg[strcspn(err.msg, "\n")] = '\0';
		finish_query(&err, NULL, 0);
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
		disconnect(PQerrorMessage(pg));
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
		disconnect(PQerrorMessage(pg));
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

/* libpq writes notices to stderr unless told otherwise. */
static void on_notice(void *arg, const char *message)
{
	(void)arg;
	log_debug("PostgreSQL says: %.300s", message);
}

static void start_connecting(void)
{
	const char *keys[] = {"dbname", "application_name", NULL};
	const char *values[] = {conf->database_conninfo, "berth poolmgr", NULL};

	pg = PQconnectStartParams(keys, values, 1 /* dbname is a connection string */);
	if (pg == NULL || PQstatus(pg) == CONNECTION_BAD) {
		disconnect(pg ? PQerrorMessage(pg) : "out of memory");
		return;
	}
	PQsetNoticeProcessor(pg, on_notice, NULL);
	state = CONNECTING;
	set_timer(conf->database_connect_timeout_ms);
	watch_connect(PGRES_POLLING_WRITING);
}

static void on_timer(uv_timer_t *t)
{
	(void)t;
	if (state == CLOSED)
		start_connecting();
	else if (PQstatus(pg) == CONNECTION_BAD)
		disconnect(PQerrorMessage(pg));
	else
		disconnect(state == CONNECTING ? "no connection within database.connect_timeout_ms"
					       : "no answer within database.statement_timeout_ms");
}

void store_init(uv_loop_t *l, const struct conf *c, const struct store_hooks *h)
{
	loop = l;
	conf = c;
	hooks = *h;
	uv_timer_init(loop, &timer);
	set_timer(0);
}

void store_set_conf(const struct conf *c)
{
	conf = c;
}

/* ---- Asking ---- */

static void ask(const char *statement, int param_count, const char *param, const char *version, store_fn done, void *arg)
{
	struct query *q = mem_alloc(sizeof(*q));

	q->statement = statement;
	q->param_count = param_count;
	q->param = mem_strdup(param);
	snprintf(q->version, sizeof(q->version), "%s", version);
	q->done = done;
	q->arg = arg;
	DL_APPEND(queue, q);
	if (state == CLOSED)
		set_timer(0); /* somebody wants to know: try now, and tell him */
	send_next();
}

void store_lookup(const char *ref, uint32_t version, store_fn done, void *arg)
{
	char text[12];

	snprintf(text, sizeof(text), "%u", version);
	ask("spec", 2, ref, text, done, arg);
}

void store_package(const char *sha256, store_fn done, void *arg)
{
	ask("package", 1, sha256, "", done, arg);
}

void store_kept(store_fn done, void *arg)
{
	ask("kept", 0, "", "", done, arg);
}

bool store_is_up(void)
{
	return state == READY;
}

const char *store_problem(void)
{
	return state == READY ? "" : problem;
}

int64_t store_retry_ms(void)
{
	return retry_ms;
}
