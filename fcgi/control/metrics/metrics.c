#include "control/metrics/metrics.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/db_problem.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/health/dependency.h"
#include "control/metrics/figures.h"
#include "control/metrics/period.h"
#include "db/db_metrics.h"
#include "http/json_text.h"
#include "http/problem.h"
#include "http/response.h"
#include "runtimes/driver.h"
#include "worker/worker.h"

/* Members of poolmgr's numbers that are not about the pool. */
static const char *const besides[] = {"berthd", "processes", "lanes", "spool_bytes"};

static void answer_now(struct worker *w, struct response *response)
{
	AUTO(json_decrefp) json_t *json = json_object();
	AUTO(json_decrefp) json_t *pool = NULL;
	struct err err;

	if (dependency_ask_poolmgr(w, true, &pool, &err) < 0) {
		log_warn("%s", err.msg);
		problem_respond(response, PROBLEM_RUNTIME_UNAVAILABLE, NULL,
				"The pool manager does not answer; try again later");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(besides); i++) {
		json_object_set(json, besides[i], json_object_get(pool, besides[i]));
		json_object_del(pool, besides[i]);
	}
	dependency_check_database(w, json);
	json_object_set(json, "pool", pool);
	response_json(response, 200, "application/json", json);
}

/* A period and the figures of each of its steps. */
struct series {
	struct period period;
	struct figures *points;
};

static void series_free(struct series *series)
{
	for (int i = 0; series->points != NULL && i < period_points(&series->period); i++)
		figures_free(&series->points[i]);
	mem_free(&series->points);
}

static int take_point(const struct rollup_row *row, void *arg, struct err *err)
{
	struct series *series = arg;
	int64_t at = (row->bucket_us - series->period.from_us) / series->period.step_us;

	if (at < 0 || at >= period_points(&series->period))
		return 0;
	return figures_add(&series->points[at], row, err);
}

static void answer_period(const struct period *period, json_t *json)
{
	json_object_set_new(json, "from", json_time(period->from_us));
	json_object_set_new(json, "to", json_time(period->to_us));
}

static json_t *points_json(const struct series *series)
{
	json_t *points = json_array();

	for (int i = 0; i < period_points(&series->period); i++) {
		json_t *point = json_object();
		json_object_set_new(point, "at", json_time(series->period.from_us + i * series->period.step_us));
		figures_write(&series->points[i], series->period.step_us, point);
		json_array_append_new(points, point);
	}
	return points;
}

static json_t *summary_json(const struct series *series)
{
	AUTO(figures_free) struct figures all = {0};
	json_t *json = json_object();

	for (int i = 0; i < period_points(&series->period); i++)
		figures_merge(&all, &series->points[i]);
	figures_write(&all, series->period.to_us - series->period.from_us, json);
	return json;
}

static void answer_series(const struct series *series, json_t *json)
{
	answer_period(&series->period, json);
	json_object_set_new(json, "step_s", json_integer(series->period.step_us / 1000000));
	json_object_set_new(json, "summary", summary_json(series));
	json_object_set_new(json, "points", points_json(series));
}

/* Parses which invocations are requested; on an error answers the request and returns -1. */
static int parse_query(struct worker *w, const struct request *request, struct period *period, struct rollup_query *query,
		       struct response *response)
{
	struct err err;

	*query = (struct rollup_query){.runtime = request_param(request, "runtime")};
	if (period_parse(request, w->conf, clock_wall_us(), period, &err) < 0 ||
	    request_param_int(request, "version", 1, INT32_MAX, &query->version, &err) < 0) {
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "%s", err.msg);
		return -1;
	}
	if (query->runtime != NULL && driver_find(query->runtime) == NULL) {
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "Unknown runtime '%s'", query->runtime);
		return -1;
	}
	query->span = period->span;
	query->from_us = period->from_us;
	query->to_us = period->to_us;
	return 0;
}

static int read_series(struct worker *w, const struct rollup_query *query, struct series *series, struct err *err)
{
	series->points = mem_alloc((size_t)period_points(&series->period) * sizeof(*series->points));
	return db_rollups(w->db, query, take_point, series, err);
}

void metrics_function(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(series_free) struct series series = {0};
	AUTO(json_decrefp) json_t *json = json_object();
	const char *ref = request->segments[2];
	struct rollup_query query;
	char id[UUID_TEXT_SIZE];
	struct err err;

	if (parse_query(w, request, &series.period, &query, response) < 0)
		return;
	query.function_id = id;
	if (db_function_id(w->db, ref, id, &err) < 0 || read_series(w, &query, &series, &err) < 0) {
		db_problem_respond(response, &err, ref);
		return;
	}
	json_object_set_new(json, "function_id", json_string(id));
	answer_series(&series, json);
	response_json(response, 200, "application/json", json);
}

/* Adds the samples of the machines; a step without a sample gets zeros, like one without invocations. */
static void answer_machines(const PGresult *samples, const struct series *series, json_t *json)
{
	json_t *points = json_object_get(json, "points"), *point;
	size_t i;

	json_array_foreach (points, i, point) {
		json_t *machines = json_object();
		for (int c = 1; c < PQnfields(samples); c++)
			json_object_set_new(machines, PQfname(samples, c), json_real(0));
		json_object_set_new(point, "machines", machines);
	}
	for (int row = 0; row < PQntuples(samples); row++) {
		int64_t at_us = strtoll(PQgetvalue(samples, row, 0), NULL, 10) * 1000000 - series->period.from_us;
		json_t *machines =
			json_object_get(json_array_get(points, (size_t)(at_us / series->period.step_us)), "machines");
		for (int c = 1; machines != NULL && c < PQnfields(samples); c++)
			json_object_set_new(machines, PQfname(samples, c),
					    json_real(strtod(PQgetvalue(samples, row, c), NULL)));
	}
}

static void answer_history(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(series_free) struct series series = {0};
	AUTO(db_result_clear) PGresult *samples = NULL;
	AUTO(json_decrefp) json_t *json = json_object();
	const struct period *p = &series.period;
	struct rollup_query query;
	struct err err;

	if (parse_query(w, request, &series.period, &query, response) < 0)
		return;
	if (read_series(w, &query, &series, &err) < 0 ||
	    db_samples(w->db, p->from_us, p->to_us, p->step_us, &samples, &err) < 0) {
		db_problem_respond(response, &err, "");
		return;
	}
	answer_series(&series, json);
	answer_machines(samples, &series, json);
	response_json(response, 200, "application/json", json);
}

void metrics_system(struct worker *w, const struct request *request, struct response *response)
{
	if (request->param_count > 0)
		answer_history(w, request, response);
	else
		answer_now(w, response);
}

/* One for each runtime in drivers. */
struct comparison {
	struct figures *figures;
};

static void comparison_free(struct comparison *c)
{
	for (size_t i = 0; c->figures != NULL && i < driver_count; i++)
		figures_free(&c->figures[i]);
	mem_free(&c->figures);
}

static int take_runtime(const struct rollup_row *row, void *arg, struct err *err)
{
	struct comparison *c = arg;

	for (size_t i = 0; i < driver_count; i++)
		if (strcmp(drivers[i]->name, row->runtime) == 0)
			return figures_add(&c->figures[i], row, err);
	return 0; /* it was refused before it got to a runtime */
}

void metrics_runtimes(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(comparison_free) struct comparison c = {mem_alloc(driver_count * sizeof(struct figures))};
	AUTO(json_decrefp) json_t *json = json_object();
	const char *ref = request_param(request, "function");
	struct rollup_query query;
	struct period period;
	char id[UUID_TEXT_SIZE];
	struct err err;

	if (parse_query(w, request, &period, &query, response) < 0)
		return;
	if (ref != NULL) {
		query.function_id = id;
		if (db_function_id(w->db, ref, id, &err) < 0) {
			db_problem_respond(response, &err, ref);
			return;
		}
		json_object_set_new(json, "function_id", json_string(id));
	}
	if (db_rollups(w->db, &query, take_runtime, &c, &err) < 0) {
		db_problem_respond(response, &err, "");
		return;
	}
	answer_period(&period, json);
	json_t *runtimes = json_object();
	for (size_t i = 0; i < driver_count; i++) {
		json_t *one = json_object();
		figures_write(&c.figures[i], period.to_us - period.from_us, one);
		json_object_set_new(runtimes, drivers[i]->name, one);
	}
	json_object_set_new(json, "runtimes", runtimes);
	response_json(response, 200, "application/json", json);
}
