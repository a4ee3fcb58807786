#include "worker/invocations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "db/db_metrics.h"
#include "worker/db_problem.h"
#include "worker/health.h"
#include "worker/invocation_json.h"
#include "worker/invocation_query.h"
#include "worker/json_body.h"
#include "worker/log_format.h"
#include "worker/log_lines.h"
#include "worker/problem.h"
#include "worker/request.h"
#include "worker/response.h"
#include "worker/worker.h"

static void respond_db_problem(const struct err *err, const char *ref, struct response *response)
{
	AUTO(problem_clear) struct problem problem = {0};

	if (err->code == ENOENT)
		problem_set(
			&problem, PROBLEM_NOT_FOUND, NULL,
			"There is no invocation '%.128s'. One can be read about a second after its end, and is kept as long as "
			"the setting retention.raw_days says",
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
			 "The database had too much to look through; choose a shorter time with from and to%s",
			 db_param_value(&query->filter.text) != NULL ? ", or leave text away" : "");
	problem_send(&problem, response);
}

void invocations_list(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(health_log_database) struct worker *used = w;
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

/* The id in the path: answers when it is none, and then returns -1. */
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
	AUTO(health_log_database) struct worker *used = w;
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

static struct str column(const PGresult *r, int row, int column)
{
	return (struct str){PQgetvalue(r, row, column), (uint32_t)PQgetlength(r, row, column)};
}

static int64_t big_number(const PGresult *r, int row, int column)
{
	return (int64_t)buf_get_u64(PQgetvalue(r, row, column));
}

static struct log_source source_of(const PGresult *r, int row)
{
	return (struct log_source){
		.requested_at_us = big_number(r, row, LOG_REQUESTED_AT_US),
		.response_us = big_number(r, row, LOG_RESPONSE_US),
		.log = column(r, row, LOG_TEXT),
		.times = column(r, row, LOG_TIMES),
		.streams = column(r, row, LOG_STREAMS),
		.log_bytes = (uint64_t)big_number(r, row, LOG_BYTES),
		.orphan_bytes = (uint64_t)big_number(r, row, LOG_ORPHAN_BYTES),
		.error_code = PQgetvalue(r, row, LOG_ERROR_CODE),
		.error_message = PQgetvalue(r, row, LOG_ERROR_MESSAGE),
	};
}

static json_t *uuid_json(const PGresult *r, int row, int column)
{
	char text[UUID_TEXT_SIZE];
	struct uuid id;

	memcpy(id.bytes, PQgetvalue(r, row, column), sizeof(id.bytes));
	uuid_format(&id, text);
	return json_string(text);
}

/* All but the lines. */
static json_t *log_json(const PGresult *r, int row, const struct log_source *source)
{
	uint64_t lost = log_lines_lost(source);

	return json_pack("{s:o, s:o, s:s, s:o, s:I, s:I, s:b, s:I, s:I}", "invocation_id", uuid_json(r, row, LOG_INVOCATION_ID),
			 "function_id", uuid_json(r, row, LOG_FUNCTION_ID), "request_id", PQgetvalue(r, row, LOG_REQUEST_ID),
			 "requested_at", json_time(source->requested_at_us), "log_bytes", (json_int_t)source->log_bytes,
			 "kept_bytes", (json_int_t)source->log.len, "truncated", lost > 0, "lost_bytes", (json_int_t)lost,
			 "orphan_bytes", (json_int_t)source->orphan_bytes);
}

bool invocations_log_write(const PGresult *r, int row, uint64_t from, struct buf *out)
{
	struct log_source source = source_of(r, row);
	AUTO(json_decrefp) json_t *json = log_json(r, row, &source);
	char *head = json_dumps(json, JSON_COMPACT);

	/* The lines, and where they go on, become the object's last members. */
	buf_add(out, head, strlen(head) - 1);
	free(head);
	buf_add_str(out, ",\"lines\":");
	uint64_t next = log_format_json(&source, from, out);
	if (next > 0)
		buf_printf(out, ",\"next\":\"%" PRIu64 "\"}", next);
	else
		buf_add_str(out, ",\"next\":null}");
	return next == 0;
}

static void respond_log_json(const PGresult *r, uint64_t from, struct response *response)
{
	AUTO(buf_free) struct buf json = {0};

	invocations_log_write(r, 0, from, &json);
	response_body(response, 200, "application/json", &(struct str){json.data, (uint32_t)json.len}, 1);
}

/* Where it goes on is said in a header (RFC 8288), and in a last line for who reads it. */
static void respond_log_text(const PGresult *r, uint64_t from, struct response *response)
{
	struct log_source source = source_of(r, 0);
	AUTO(buf_free) struct buf text = {0};
	char at[CLOCK_TEXT_SIZE];

	uint64_t next = log_format_text(&source, from, &text);
	if (next > 0) {
		const char *path = response->request->path;
		response_header(response, "Link", "<%s?format=text&cursor=%" PRIu64 ">; rel=\"next\"", path, next);
		clock_format_utc(source.requested_at_us + source.response_us, at);
		buf_printf(&text, "%s platform the log goes on: %s?format=text&cursor=%" PRIu64 "\n", at, path, next);
	}
	response_body(response, 200, "text/plain; charset=utf-8", &(struct str){buf_str(&text), (uint32_t)text.len}, 1);
}

void invocations_log(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(health_log_database) struct worker *used = w;
	AUTO(db_result_clear) PGresult *r = NULL;
	const char *format = request_param(request, "format");
	bool as_text = format != NULL && strcmp(format, "text") == 0;
	int64_t from = 0;
	struct uuid id;
	struct err err;

	if (parse_id(request, &id, response) < 0)
		return;
	if (request_param_int(request, "cursor", 0, INT64_MAX, &from, &err) < 0) {
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "%s", err.msg);
		return;
	}
	if (format != NULL && !as_text && strcmp(format, "json") != 0) {
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "format must be json or text");
		return;
	}
	if (db_invocation_log(w->db, &id, &r, &err) < 0) {
		respond_db_problem(&err, request->segments[1], response);
		return;
	}
	if (as_text)
		respond_log_text(r, (uint64_t)from, response);
	else
		respond_log_json(r, (uint64_t)from, response);
}
