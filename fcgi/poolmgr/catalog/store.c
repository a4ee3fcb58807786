#include "poolmgr/catalog/store.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "db/db_async.h"
#include "db/db_spec.h"
#include "poolmgr/node/watch.h"

/* A query that waits or is under way. A worker waits for each lookup, which bounds their number. */
struct query {
	struct db_param params[2];
	char *text; /* the first parameter */
	union {
		store_fn data;
		store_spec_fn spec;
	} done;
	void *arg;
};

static const struct db_statement kept_get = {
	.name = "kept",
	.sql = "SELECT string_agg(uuid_send(function_id), '') FROM functions "
	       "JOIN function_versions USING (function_id, version) WHERE min_warm > 0",
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

static const struct db_statement *const prepared[] = {&db_spec_get, &kept_get, &package_get};

static uv_loop_t *loop;
static struct store_hooks hooks;
static struct db_async *db;
static struct watch *watch;
static unsigned watched; /* the connection whose socket is watched */
static short watched_events;
static uv_timer_t timer;
static bool told_down; /* one log line per outage */

/* ---- On the loop ---- */

static void adjust(void);

static void on_socket(int events, void *arg)
{
	(void)arg;
	db_async_step(db, (short)((events & ~UV_WRITABLE ? POLLIN : 0) | (events & UV_WRITABLE ? POLLOUT : 0)));
	adjust();
}

static void on_timer(uv_timer_t *t)
{
	(void)t;
	db_async_step(db, 0);
	adjust();
}

/* Makes the loop wait for what the connection now waits for. */
static void adjust(void)
{
	const struct db_async_wait w = db_async_wait(db);
	int events = (w.events & POLLIN ? UV_READABLE : 0) | (w.events & POLLOUT ? UV_WRITABLE : 0);

	if (w.fd < 0 || w.connection != watched)
		watch_free(&watch);
	if (w.fd >= 0 && watch == NULL)
		watch = watch_new(loop, w.fd, events, on_socket, NULL);
	else if (w.fd >= 0 && w.events != watched_events)
		watch_set_events(watch, events);
	watched = w.connection;
	watched_events = w.events;
	if (w.due_us == INT64_MAX)
		uv_timer_stop(&timer);
	else
		uv_timer_start(&timer, on_timer, (uint64_t)clock_left_ms(w.due_us), 0);
}

static void on_connected(void *arg)
{
	(void)arg;
	log_info("connected to PostgreSQL");
	told_down = false;
	hooks.connected();
}

static void on_closes(void *arg)
{
	(void)arg;
	watch_free(&watch);
}

static void on_lost(const struct err *why, void *arg)
{
	(void)arg;
	if (!told_down)
		log_warn("%s", why->msg);
	told_down = true;
}

static void on_notified(const char *payload, void *arg)
{
	AUTO(json_decrefp) json_t *json = json_loads(payload, 0, NULL);
	const char *id = json_string_value(json_object_get(json, "function_id"));

	(void)arg;
	if (id != NULL)
		hooks.changed(id, json_integer_value(json_object_get(json, "version")));
}

static const struct db_async_plan plan = {
	.application = "berth poolmgr",
	.listen = "berth_functions",
	.prepared = prepared,
	.prepared_count = ARRAY_SIZE(prepared),
	.hooks = {on_connected, on_closes, on_lost, on_notified, NULL},
};

void store_init(uv_loop_t *l, const struct conf *conf, const struct store_hooks *h)
{
	loop = l;
	hooks = *h;
	uv_timer_init(loop, &timer);
	db = db_async_new(conf, &plan);
	adjust();
}

void store_set_conf(const struct conf *conf)
{
	db_async_set_conf(db, conf);
	adjust();
}

/* ---- Asking ---- */

/* All errors have the same code for callers. */
static const struct err *away(const struct err *err, struct err *why)
{
	*why = *err;
	why->code = ENOTCONN;
	return why;
}

static void query_free(struct query *q)
{
	mem_free(&q->text);
	mem_free(&q);
}

/* Hands on the only column of the only row. */
static void on_data(const struct err *err, const PGresult *r, void *arg)
{
	struct query *q = arg;
	struct err why;

	if (err != NULL)
		q->done.data(away(err, &why), NULL, 0, q->arg);
	else if (PQntuples(r) == 0 || PQgetisnull(r, 0, 0))
		q->done.data(NULL, NULL, 0, q->arg);
	else
		q->done.data(NULL, PQgetvalue(r, 0, 0), (size_t)PQgetlength(r, 0, 0), q->arg);
	query_free(q);
}

static void on_spec(const struct err *err, const PGresult *r, void *arg)
{
	struct query *q = arg;
	struct spec *spec = NULL;
	struct err why;

	if (err != NULL)
		err = away(err, &why);
	else if (PQntuples(r) > 0 && db_spec_from_row(r, 0, &spec, &why) < 0)
		err = &why;
	q->done.spec(err, spec, q->arg);
	query_free(q);
}

static void ask(const struct db_statement *statement, const char *text, int64_t number, struct query what, db_async_fn answer)
{
	struct query *q = mem_alloc(sizeof(*q));

	*q = what;
	q->text = mem_strdup(text);
	q->params[0] = db_text(q->text);
	q->params[1] = db_int(number);
	db_async_ask(db, statement, q->params, answer, q);
	adjust();
}

void store_lookup(const char *ref, uint32_t version, store_spec_fn done, void *arg)
{
	ask(&db_spec_get, ref, version, (struct query){.done.spec = done, .arg = arg}, on_spec);
}

void store_package(const char *sha256, store_fn done, void *arg)
{
	ask(&package_get, sha256, 0, (struct query){.done.data = done, .arg = arg}, on_data);
}

void store_kept(store_fn done, void *arg)
{
	ask(&kept_get, "", 0, (struct query){.done.data = done, .arg = arg}, on_data);
}

bool store_is_up(void)
{
	return db_async_problem(db)[0] == '\0';
}

const char *store_problem(void)
{
	return db_async_problem(db);
}

int64_t store_retry_ms(void)
{
	return db_async_retry_ms(db);
}
