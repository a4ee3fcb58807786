#include "worker/invocations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "db/db_metrics.h"
#include "worker/db_problem.h"
#include "worker/health.h"
#include "worker/json_body.h"
#include "worker/log_lines.h"
#include "worker/problem.h"
#include "worker/request.h"
#include "worker/response.h"
#include "worker/worker.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     200
#define SLOWEST_MS    86400000
#define NUMBER_SIZE   24
#define TEXT_MAX      256

/* What a filter points into. */
struct filter_texts {
	char from[NUMBER_SIZE], to[NUMBER_SIZE], before_at[NUMBER_SIZE], before_id[UUID_TEXT_SIZE];
	char status_least[NUMBER_SIZE], status_most[NUMBER_SIZE], version[NUMBER_SIZE], slower[NUMBER_SIZE], limit[NUMBER_SIZE];
};

static const char *number(char text[NUMBER_SIZE], int64_t value)
{
	snprintf(text, NUMBER_SIZE, "%" PRId64, value);
	return text;
}

/* A time as seconds with a fraction. */
static int parse_time(const struct request *request, const char *name, char text[NUMBER_SIZE], const char **to, struct err *err)
{
	const char *given = request_param(request, name);
	int64_t us;

	if (given == NULL)
		return 0;
	if (!clock_parse(given, &us) || us < 0)
		return err_set(err, 0, "%s must be a time such as 2026-01-31T12:00:00Z, or seconds since 1970", name);
	snprintf(text, NUMBER_SIZE, "%" PRId64 ".%06d", us / 1000000, (int)(us % 1000000));
	*to = text;
	return 0;
}

/* "error", "success", "404" or "5xx". */
static int parse_status(const char *given, struct filter_texts *texts, struct invocation_filter *f, struct err *err)
{
	char end;
	int status, hundred;

	if (given == NULL)
		return 0;
	if (strcmp(given, "error") == 0 || strcmp(given, "success") == 0) {
		f->failed = given[0] == 'e' ? "t" : "f";
		return 0;
	}
	if (strlen(given) == 3 && sscanf(given, "%1dxx%c", &hundred, &end) == 1 && strcmp(given + 1, "xx") == 0 &&
	    hundred >= 1 && hundred <= 5) {
		f->status_least = number(texts->status_least, hundred * 100);
		f->status_most = number(texts->status_most, hundred * 100 + 99);
		return 0;
	}
	if (strlen(given) != 3 || strspn(given, "0123456789") != 3 || (status = atoi(given)) < 100 || status > 599)
		return err_set(err, 0, "status must be success, error, an HTTP status such as 502, or a class such as 5xx");
	f->status_least = f->status_most = number(texts->status_least, status);
	return 0;
}

/* "<us since 1970>.<uuid>": the last one of the page before. */
static int parse_cursor(const char *cursor, struct filter_texts *texts, struct invocation_filter *f, struct err *err)
{
	struct uuid id;
	size_t digits = cursor != NULL ? strspn(cursor, "0123456789") : 0;

	if (cursor == NULL)
		return 0;
	if (digits == 0 || digits > 17 || cursor[digits] != '.' || !uuid_parse(cursor + digits + 1, &id))
		return err_set(err, 0, "the parameter 'cursor' is not one that 'next' gave");
	snprintf(texts->before_at, sizeof(texts->before_at), "%.*s", (int)digits, cursor);
	uuid_format(&id, texts->before_id);
	f->before_at = texts->before_at;
	f->before_id = texts->before_id;
	return 0;
}

static int parse_number(const struct request *request, const char *name, int64_t most, char text[NUMBER_SIZE], const char **to,
			struct err *err)
{
	int64_t value = -1;

	if (request_param_int(request, name, 0, most, &value, err) < 0)
		return -1;
	if (value >= 0)
		*to = number(text, value);
	return 0;
}

static int parse_filter(const struct request *request, struct filter_texts *texts, int64_t *limit, struct invocation_filter *f,
			struct err *err)
{
	*f = (struct invocation_filter){
		.error_code = request_param(request, "error_code"),
		.runtime = request_param(request, "runtime"),
		.start_kind = request_param(request, "start_kind"),
		.text = request_param(request, "text"),
	};
	*limit = LIMIT_DEFAULT;
	if (f->text != NULL && strlen(f->text) > TEXT_MAX)
		return err_set(err, 0, "text may have %d characters at most", TEXT_MAX);
	if (parse_time(request, "from", texts->from, &f->from, err) < 0 ||
	    parse_time(request, "to", texts->to, &f->to, err) < 0 ||
	    parse_status(request_param(request, "status"), texts, f, err) < 0 ||
	    parse_cursor(request_param(request, "cursor"), texts, f, err) < 0 ||
	    parse_number(request, "version", INT32_MAX, texts->version, &f->version, err) < 0 ||
	    parse_number(request, "slower_than_ms", SLOWEST_MS, texts->slower, &f->slower_than_ms, err) < 0 ||
	    request_param_int(request, "limit", 1, LIMIT_MAX, limit, err) < 0)
		return -1;
	/* One more than asked for says whether there is a next page. */
	f->limit = number(texts->limit, *limit + 1);
	return 0;
}

static void respond_db_problem(const struct err *err, const char *what, const char *ref, struct response *response)
{
	AUTO(problem_clear) struct problem problem = {0};

	if (err->code == ENOENT)
		problem_set(&problem, PROBLEM_NOT_FOUND, NULL,
			    "There is no %s '%.128s'. Invocations are kept for a time (retention.raw_days), and can be read "
			    "about a "
			    "second after their end",
			    what, ref);
	else
		db_problem(&problem, err, ref);
	problem_send(&problem, response);
}

void invocations_list(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(health_log_database) struct worker *used = w;
	AUTO(db_result_clear) PGresult *r = NULL;
	const char *ref = request->segments[1];
	struct invocation_filter filter;
	struct filter_texts texts;
	char id[UUID_TEXT_SIZE], next[64] = "";
	struct err err;
	int64_t limit;

	if (parse_filter(request, &texts, &limit, &filter, &err) < 0) {
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "%s", err.msg);
		return;
	}
	filter.function_id = id;
	if (db_function_id(w->db, ref, id, &err) < 0) {
		AUTO(problem_clear) struct problem problem = {0};
		db_problem(&problem, &err, ref);
		problem_send(&problem, response);
		return;
	}
	if (db_invocations(w->db, &filter, &r, &err) < 0) {
		respond_db_problem(&err, "invocation", ref, response);
		return;
	}
	json_t *items = json_array();
	for (int row = 0; row < PQntuples(r) && row < limit; row++) {
		json_array_append_new(items, json_loads(PQgetvalue(r, row, INVOCATION_JSON), 0, NULL));
		snprintf(next, sizeof(next), "%s.%s", PQgetvalue(r, row, INVOCATION_AT_US), PQgetvalue(r, row, INVOCATION_ID));
	}
	AUTO(json_decrefp) json_t *page = json_pack("{s:o, s:s?}", "items", items, "next", PQntuples(r) > limit ? next : NULL);
	response_json(response, 200, "application/json", page);
}

/* The id in the path: answers when it is none, and then returns -1. */
static int parse_id(const struct request *request, struct uuid *id, struct response *response)
{
	struct err err = {.code = ENOENT};

	if (uuid_parse(request->segments[1], id))
		return 0;
	respond_db_problem(&err, "invocation", request->segments[1], response);
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
		respond_db_problem(&err, "invocation", request->segments[1], response);
		return;
	}
	AUTO(json_decrefp) json_t *json = json_loads(PQgetvalue(r, 0, INVOCATION_JSON), 0, NULL);
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
		.log_bytes = (uint64_t)big_number(r, row, LOG_BYTES),
		.orphan_bytes = (uint64_t)big_number(r, row, LOG_ORPHAN_BYTES),
		.error_code = PQgetvalue(r, row, LOG_ERROR_CODE),
		.error_message = PQgetvalue(r, row, LOG_ERROR_MESSAGE),
	};
}

static json_t *time_json(int64_t wall_us)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format_utc(wall_us, text);
	return json_string(text);
}

static json_t *uuid_json(const PGresult *r, int row, int column)
{
	char text[UUID_TEXT_SIZE];
	struct uuid id;

	memcpy(id.bytes, PQgetvalue(r, row, column), sizeof(id.bytes));
	uuid_format(&id, text);
	return json_string(text);
}

static void add_line(const struct log_line *line, void *lines)
{
	AUTO(buf_free) struct buf text = {0};

	utf8_repair(&text, line->text.data, line->text.len);
	json_array_append_new(lines, json_pack("{s:o, s:s, s:o}", "at", time_json(line->at_us), "level", line->level, "text",
					       json_stringn(buf_str(&text), text.len)));
}

json_t *invocations_log_json(const PGresult *r, int row)
{
	struct log_source source = source_of(r, row);
	uint64_t lost = log_lines_lost(&source);
	json_t *lines = json_array();

	log_lines(&source, add_line, lines);
	return json_pack("{s:o, s:o, s:s, s:o, s:I, s:b, s:I, s:I, s:o}", "invocation_id", uuid_json(r, row, LOG_INVOCATION_ID),
			 "function_id", uuid_json(r, row, LOG_FUNCTION_ID), "request_id", PQgetvalue(r, row, LOG_REQUEST_ID),
			 "requested_at", time_json(source.requested_at_us), "log_bytes", (json_int_t)source.log_bytes,
			 "truncated", lost > 0, "lost_bytes", (json_int_t)lost, "orphan_bytes", (json_int_t)source.orphan_bytes,
			 "lines", lines);
}

/* A terminal is safe from it: what is neither printable nor a tab is written as \x1b. */
static void add_visible(struct buf *out, const struct buf *text)
{
	for (size_t i = 0; i < text->len; i++) {
		unsigned char c = (unsigned char)text->data[i];
		/* U+0080..U+009F, which are C2 80..9F, control a terminal as well. */
		bool c1 = c == 0xc2 && i + 1 < text->len && (unsigned char)text->data[i + 1] < 0xa0;
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else if (c1)
			buf_printf(out, "\\x%02x", (unsigned char)text->data[++i]);
		else
			buf_add_u8(out, c);
	}
}

static void write_line(const struct log_line *line, void *arg)
{
	AUTO(buf_free) struct buf text = {0};
	char at[CLOCK_TEXT_SIZE];
	struct buf *out = arg;

	clock_format_utc(line->at_us, at);
	buf_printf(out, "%s %-8s ", at, line->level);
	utf8_repair(&text, line->text.data, line->text.len);
	add_visible(out, &text);
	buf_add_str(out, "\n");
}

void invocations_log(struct worker *w, const struct request *request, struct response *response)
{
	AUTO(health_log_database) struct worker *used = w;
	AUTO(db_result_clear) PGresult *r = NULL;
	AUTO(buf_free) struct buf text = {0};
	const char *format = request_param(request, "format");
	struct uuid id;
	struct err err;

	if (parse_id(request, &id, response) < 0)
		return;
	if (format != NULL && strcmp(format, "json") != 0 && strcmp(format, "text") != 0) {
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "format must be json or text");
		return;
	}
	if (db_invocation_log(w->db, &id, &r, &err) < 0) {
		respond_db_problem(&err, "invocation", request->segments[1], response);
		return;
	}
	if (format != NULL && strcmp(format, "text") == 0) {
		struct log_source source = source_of(r, 0);
		log_lines(&source, write_line, &text);
		response_body(response, 200, "text/plain; charset=utf-8", &(struct str){buf_str(&text), (uint32_t)text.len}, 1);
		return;
	}
	AUTO(json_decrefp) json_t *json = invocations_log_json(r, 0);
	response_json(response, 200, "application/json", json);
}
