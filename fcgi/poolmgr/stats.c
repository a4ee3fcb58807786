#include "poolmgr/stats.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "ipc/ipc.h"
#include "poolmgr/catalog/store.h"
#include "poolmgr/node/backlog.h"
#include "poolmgr/node/client.h"
#include "poolmgr/node/counters.h"
#include "poolmgr/pool/min_warm.h"
#include "poolmgr/pool/obstacle.h"
#include "poolmgr/pool/pool.h"
#include "poolmgr/pool/room.h"
#include "poolmgr/sandbox/image.h"
#include "poolmgr/sandbox/sandbox.h"

static const struct conf *conf;
static struct docker *docker;
static struct scoreboard *board;
static int64_t started_us;

/* Makes a JSON string of text from outside, which may have been cut off within a character. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);

	if (json != NULL)
		return json;
	AUTO(mem_free) char *ascii = mem_strdup(text);
	for (char *p = ascii; *p != '\0'; p++)
		if (*p < 0)
			*p = '?';
	return json_string(ascii);
}

/* The number of sandboxes in the states from first to end (exclusive); of one shape or version, or of any if NULL. */
static json_t *states_json(enum sandbox_state first, enum sandbox_state end, const struct shape *shape,
			   const struct version *version)
{
	json_t *json = json_object();
	const struct sandbox *s;

	for (enum sandbox_state state = first; state < end; state++) {
		int count = 0;
		DL_FOREACH (sandbox_lists[state], s)
			count += (shape == NULL || s->shape == shape) && (version == NULL || s->version == version);
		json_object_set_new(json, sandbox_state_name(state), json_integer(count));
	}
	return json;
}

/* What the node keeps for all sandboxes. */
static json_int_t committed_mb(void)
{
	const struct sandbox *s;
	json_int_t mb = 0;

	for (int state = 0; state < SANDBOX_GONE; state++)
		DL_FOREACH (sandbox_lists[state], s)
			mb += shape_memory_mb(s->shape);
	return mb;
}

static int count_of(const struct driver *driver, enum sandbox_state state)
{
	const struct sandbox *s;
	int count = 0;

	DL_FOREACH (sandbox_lists[state], s)
		count += s->shape->key.driver == driver;
	return count;
}

/* The number for one runtime; NULL: for all. */
static int spares_wanted(const struct driver *driver)
{
	int64_t now_us = clock_mono_us();
	const struct shape *s;
	int wanted = 0;

	DL_FOREACH (shapes, s)
		if (driver == NULL || s->key.driver == driver)
			wanted += shape_spares_wanted(s, now_us);
	return wanted;
}

/* All zero when the kernel gives no answer. */
static int read_lanes(struct backlog *lanes)
{
	struct err err;

	if (backlog_read(conf->master_run_dir, (int)conf->invoke_lanes, lanes, &err) == 0)
		return 0;
	log_debug("%s", err.msg);
	return -1;
}

static void publish_gauges(void)
{
	struct backlog lanes;

	read_lanes(&lanes);
#define GAUGE(name, value) *scoreboard_gauge(board, GAUGE_##name) = (uint64_t)(value);
#define RUNTIME_GAUGE(name, value)
#include "ipc/gauge.def"
#undef GAUGE
#undef RUNTIME_GAUGE
}

static void publish_runtime_gauges(int runtime)
{
	const struct driver *driver = drivers[runtime];

#define GAUGE(name, value)
#define RUNTIME_GAUGE(name, value) *scoreboard_runtime_gauge(board, runtime, RUNTIME_GAUGE_##name) = (uint64_t)(value);
#include "ipc/gauge.def"
#undef GAUGE
#undef RUNTIME_GAUGE
}

void stats_publish(void)
{
	publish_gauges();
	for (int runtime = 0; runtime < (int)driver_count; runtime++)
		publish_runtime_gauges(runtime);
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		*scoreboard_counter(board, (enum counter)i) = counters[i];
}

static json_t *runtimes_json(void)
{
	json_t *json = json_object();

	for (size_t i = 0; i < driver_count; i++) {
		bool offered = docker_offers(docker, drivers[i]->engine_runtime);
		json_t *one = json_pack("{s:b, s:s}", "available", offered, "detail", offered ? "" : drivers[i]->missing);
		json_object_set_new(json, drivers[i]->name, one);
	}
	return json;
}

/* Reports the first obstacle to any of the available runtimes. */
static json_t *egress_json(void)
{
	const char *obstacle = NULL;

	for (size_t i = 0; i < driver_count && obstacle == NULL; i++)
		if (docker_offers(docker, drivers[i]->engine_runtime))
			obstacle = obstacle_to_egress(drivers[i]);
	return json_pack("{s:b, s:o}", "available", obstacle == NULL, "detail", text_json(obstacle != NULL ? obstacle : ""));
}

/*
 * Users can create any number of shapes and versions, and each shape may have a problem text of half a kilobyte, but a message
 * is bounded: each of the two lists gets a fixed share of it, and everything else a quarter. The busiest rows come first.
 */
#define LIST_BYTES (IPC_MAX_SIZE / 8 * 3)

struct list {
	json_t *rows;
	size_t bytes;
	int left_out;
};

/* Steals row. After a row that did not fit, no further row is added. */
static void list_add(struct list *l, json_t *row)
{
	size_t bytes = json_dumpb(row, NULL, 0, JSON_COMPACT) + strlen(",");

	if (l->left_out > 0 || l->bytes + bytes > LIST_BYTES) {
		l->left_out++;
		json_decref(row);
		return;
	}
	l->bytes += bytes;
	json_array_append_new(l->rows, row);
}

static void list_give(struct list *l, json_t *json, const char *name)
{
	AUTO(mem_free) char *left_out = mem_printf("%s_left_out", name);

	json_object_set_new(json, name, l->rows);
	json_object_set_new(json, left_out, json_integer(l->left_out));
}

static json_t *shape_json(const struct shape *s, int64_t now_us)
{
	const struct version *v;
	int waiting = 0;

	DL_FOREACH2 (s->hungry, v, hungry_next)
		waiting += v->waiting;
	return json_pack("{s:s, s:i, s:i, s:i, s:i, s:o, s:o}", "shape", s->name, "spare", s->spare_count, "spares_wanted",
			 shape_spares_wanted(s, now_us), "starting", s->starting, "waiting", waiting, "sandboxes",
			 states_json(SANDBOX_CREATING, SANDBOX_GONE, s, NULL), "problem", text_json(s->problem));
}

/* Most used first. */
static int compare_shapes(const void *a, const void *b)
{
	const struct shape *const *x = a, *const *y = b;

	return (*y)->users - (*x)->users;
}

static void add_shapes(json_t *json)
{
	struct list list = {.rows = json_array()};
	int64_t now_us = clock_mono_us();
	const struct shape *s;
	size_t count, n = 0;

	DL_COUNT(shapes, s, count);
	AUTO(mem_free) const struct shape **sorted = mem_alloc((count + 1) * sizeof(*sorted));
	DL_FOREACH (shapes, s)
		sorted[n++] = s;
	qsort(sorted, count, sizeof(*sorted), compare_shapes);
	for (n = 0; n < count; n++)
		list_add(&list, shape_json(sorted[n], now_us));
	list_give(&list, json, "shapes");
}

static json_t *version_json(const struct version *v)
{
	return json_pack("{s:s, s:s, s:I, s:s, s:o, s:i, s:i, s:I, s:I}", "function_id", v->spec->function_id, "name",
			 v->spec->name, "version", (json_int_t)v->spec->version, "status",
			 version_status_name(version_status(v)), "sandboxes",
			 states_json(SANDBOX_ASSIGNED, SANDBOX_DYING, NULL, v), "waiting", v->waiting, "min_warm", v->min_warm,
			 "max_concurrency", (json_int_t)v->spec->max_concurrency, "usual_us", (json_int_t)v->usual_us);
}

/* Busiest first. */
static int compare_versions(const void *a, const void *b)
{
	const struct version *const *x = a, *const *y = b;

	return ((*y)->live + (*y)->waiting) - ((*x)->live + (*x)->waiting);
}

/* Lists versions that have a sandbox or wait for one. */
static void add_functions(json_t *json)
{
	struct list list = {.rows = json_array()};
	const struct version *v, *next;
	size_t count, n = 0;

	DL_COUNT(candidates, v, count);
	AUTO(mem_free)
	const struct version **sorted = mem_alloc((count + HASH_COUNT(versions) + 1) * sizeof(*sorted));
	HASH_ITER (hh, versions, v, next)
		if (v->live + v->waiting > 0)
			sorted[n++] = v;
	DL_FOREACH (candidates, v)
		if (v->live + v->waiting > 0)
			sorted[n++] = v;
	qsort(sorted, n, sizeof(*sorted), compare_versions);
	for (size_t i = 0; i < n; i++)
		list_add(&list, version_json(sorted[i]));
	list_give(&list, json, "functions");
}

static json_t *processes_json(void)
{
	json_t *json = json_object();

	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		struct scoreboard_sum sum = scoreboard_sum(board, role);
		json_t *one = json_object();
		for (enum slot_state state = SLOT_STARTING; state < SLOT_STATE_COUNT; state++)
			json_object_set_new(one, slot_state_name(state), json_integer(sum.states[state]));
		json_object_set_new(one, "silent", json_integer(sum.silent));
		json_object_set_new(one, "requests", json_integer((json_int_t)sum.requests));
		json_object_set_new(one, "dropped_records", json_integer((json_int_t)sum.dropped_records));
		json_object_set_new(json, child_role_name(role), one);
	}
	return json;
}

/* Writes null when the kernel gives no answer. */
static json_t *lanes_json(void)
{
	struct backlog b;

	if (read_lanes(&b) < 0)
		return json_null();
	return json_pack("{s:i, s:i, s:i}", "count", b.lanes, "waiting", b.waiting, "longest", b.longest);
}

static json_int_t since_ms(int64_t then_us)
{
	return (clock_mono_us() - then_us) / 1000;
}

/* Details for operators, which a question about readiness does not need. */
static void add_details(json_t *json)
{
	json_t *details = json_pack(
		"{s:{s:s, s:s, s:I}, s:o, s:I, s:I, s:{s:I, s:I}, s:o}", "berthd", "version", PACKAGE_VERSION, "instance",
		conf->master_instance, "uptime_ms", since_ms(scoreboard_started_us(board)), "processes", processes_json(),
		"spool_bytes", (json_int_t)*scoreboard_spool_bytes(board), "uptime_ms", since_ms(started_us), "memory",
		"committed_mb", committed_mb(), "budget_mb", (json_int_t)room_budget_mb(), "counters", counters_json());

	json_object_set_new(details, "lanes", lanes_json());
	json_object_update(json, details);
	json_decref(details);
	add_functions(json);
}

char *stats_text_new(bool whole)
{
	json_t *json = json_pack("{s:{s:b, s:o, s:o}, s:o, s:o, s:{s:b, s:o}, s:o, s:o, s:o, s:i, s:i}", "docker", "ok",
				 docker_is_up(docker), "detail", text_json(docker_problem(docker)), "version",
				 text_json(docker_version(docker)), "runtimes", runtimes_json(), "egress", egress_json(),
				 "database", "ok", store_is_up(), "detail", text_json(store_problem()), "images", image_json(),
				 "sandboxes", states_json(SANDBOX_CREATING, SANDBOX_GONE, NULL, NULL), "min_warm",
				 min_warm_json(), "waiting", pool_waiting(), "connections", client_count());

	add_shapes(json);
	if (whole)
		add_details(json);
	char *text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return text;
}

void stats_init(const struct conf *c, struct docker *d, struct scoreboard *b)
{
	conf = c;
	docker = d;
	board = b;
	started_us = clock_mono_us();
}
