#include "control/invocations/invocations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/db_problem.h"
#include "api/log_row.h"
#include "base/clock.h"
#include "control/invocations/invocation_json.h"
#include "control/invocations/invocation_query.h"
#include "db/db_metrics.h"
#include "http/problem.h"
#include "http/request.h"
#include "http/response.h"
#include "worker/worker.h"

static void respond_db_problem(const struct err *err, const char *ref, struct response *response)
{
	AUTO(problem_clear) struct problem problem = {0};

	if (err->code == ENOENT)
		problem_set(&problem, PROBLEM_NOT_FOUND, NULL,
			    "There is no invocation '%.128s'. Invocations can be read about a second after they end, and are "
			    "deleted when they are older than retention.raw_days",
			    ref);
	else
		db_problem(&problem, err, ref);
	problem_send(&problem, response);
}

static void respond_page(const PGresult *r, int64_t limit, struct response *response)
{
	json_t *items = json_array();
	int last = (int)MIN(PQntuples(r), limit) - 1;
	char next[INVOCATION_CURSOR_SIZE];

	for (int row = 0; row <= last; row++)
		json_array_append_new(items, invocation_json(r, row));
	if (last >= 0)
		invocation_query_next(PQgetvalue(r, last, INVOCATION_AT_US), PQgetvalue(r, last, INVOCATION_ID), next);
	AUTO(json_decrefp) json_t *page = json_pack("{s:o, s:s?}", "items", items, "next", PQntuples(r) > limit ? next : NULL);
	response_json(response, 200, "application/json", page);
}

static void respond_list_problem(const struct err *err, const struct invocation_query *query, const char *ref,
				 struct response *response)
{
	AUTO(problem_clear) struct problem problem = {0};

	db_problem(&problem, err, ref);
	if (err->code == ETIMEDOUT)
		snprintf(problem.detail, sizeof(problem.detail),
			 "The search took too long; choose a shorter period with from and to%s",
			 db_param_value(&query->filter.text) != NULL ? ", or omit text" : "");
	problem_send(&problem, response);
}

void invocations_list(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	const char *ref = request->segments[1];
	struct invocation_query query;
	char id[UUID_TEXT_SIZE];
	struct err err;

	if (invocation_query_parse(request, &query, &err) < 0) {
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "%s", err.msg);
		return;
	}
	query.filter.function_id = db_text(id);
	if (db_function_id(w->db, ref, id, &err) < 0 || db_invocations(w->db, &query.filter, &r, &err) < 0) {
		respond_list_problem(&err, &query, ref, response);
		return;
	}
	respond_page(r, query.limit, response);
}

void invocations_search(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	struct invocation_query query;
	struct err err;

	if (invocation_query_parse_search(request, clock_wall_us(), &query, &err) < 0) {
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "%s", err.msg);
		return;
	}
	if (db_invocations(w->db, &query.filter, &r, &err) < 0)
		respond_list_problem(&err, &query, "", response);
	else
		respond_page(r, query.limit, response);
}

/* Parses the id in the path; if it is not valid, answers the request and returns -1. */
static int parse_id(const struct request *request, struct uuid *id, struct response *response)
{
	struct err err = {.code = ENOENT};

	if (uuid_parse(request->segments[1], id))
		return 0;
	respond_db_problem(&err, request->segments[1], response);
	return -1;
}

void invocations_get(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	struct uuid id;
	struct err err;

	if (parse_id(request, &id, response) < 0)
		return;
	if (db_invocation(w->db, &id, &r, &err) < 0) {
		respond_db_problem(&err, request->segments[1], response);
		return;
	}
	AUTO(json_decrefp) json_t *json = invocation_json(r, 0);
	response_json(response, 200, "application/json", json);
}

static void respond_log_json(const PGresult *r, size_t least, uint64_t from, struct response *response)
{
	AUTO(buf_free) struct buf json = {0};

	log_row_json(r, 0, PQntuples(r), least, from, &json);
	response_body(response, 200, "application/json", &(struct str){json.data, (uint32_t)json.len}, 1);
}

/* The next page is in a header (RFC 8288) for programs, and in a last line for people. */
static void respond_log_text(const PGresult *r, size_t least, uint64_t from, struct response *response)
{
	struct log_source source = log_row_source(r, 0, least);
	AUTO(buf_free) struct buf text = {0};
	char at[CLOCK_TEXT_SIZE];

	uint64_t next = log_row_text(r, 0, PQntuples(r), least, from, &text);
	if (next > 0) {
		const char *path = response->request->path, *param = least > 0 ? "&level=" : "";
		const char *level = least > 0 ? log_lines_level(least) : "";
		response_header(response, "Link", "<%s?format=text%s%s&cursor=%" PRIu64 ">; rel=\"next\"", path, param, level,
				next);
		clock_format_utc(source.requested_at_us + source.response_us, at);
		buf_printf(&text, "%s platform the log continues at: %s?format=text%s%s&cursor=%" PRIu64 "\n", at, path, param,
			   level, next);
	}
	response_body(response, 200, "text/plain; charset=utf-8", &(struct str){buf_str(&text), (uint32_t)text.len}, 1);
}

void invocations_log(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	const char *format = request_param(request, "format");
	bool as_text = format != NULL && strcmp(format, "text") == 0;
	int64_t from = 0;
	size_t least = 0;
	struct uuid id;
	struct err err;

	if (parse_id(request, &id, response) < 0)
		return;
	if (request_param_int(request, "cursor", 0, INT64_MAX, &from, &err) < 0 ||
	    log_row_parse_level(request, &least, &err) < 0) {
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "%s", err.msg);
		return;
	}
	if (format != NULL && !as_text && strcmp(format, "json") != 0) {
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "'format' must be json or text");
		return;
	}
	if (db_invocation_log(w->db, &id, &r, &err) < 0) {
		respond_db_problem(&err, request->segments[1], response);
		return;
	}
	if (as_text)
		respond_log_text(r, least, (uint64_t)from, response);
	else
		respond_log_json(r, least, (uint64_t)from, response);
}
