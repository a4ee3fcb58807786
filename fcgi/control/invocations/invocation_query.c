#include "control/invocations/invocation_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/problem.h"
#include "http/request.h"
#include "ipc/start_kind.h"
#include "runtimes/driver.h"

#define SLOWEST_MS    86400000
#define CURSOR_DIGITS 17

static int parse_time(const struct request *request, const char *name, int64_t *us, struct err *err)
{
	const char *given = request_param(request, name);

	if (given != NULL && (!clock_parse(given, us) || *us < 0))
		return err_set(err, 0, "'%s' must be a time such as 2026-01-31T12:00:00Z, or seconds since 1970", name);
	return 0;
}

static int parse_period(const struct request *request, struct invocation_query *q, struct err *err)
{
	int64_t from_us = -1, to_us = -1;

	if (parse_time(request, "from", &from_us, err) < 0 || parse_time(request, "to", &to_us, err) < 0)
		return -1;
	if (from_us >= 0 && to_us >= 0 && from_us >= to_us)
		return err_set(err, 0, "'from' must be before 'to'");
	if (from_us >= 0)
		q->filter.from = db_time(from_us);
	if (to_us >= 0)
		q->filter.to = db_time(to_us);
	q->to_us = to_us;
	return 0;
}

/* Parses "404" or "5xx" as the first and the last status of a range. */
static bool parse_class(const char *text, int *least, int *most)
{
	if (strlen(text) != 3 || text[0] < '1' || text[0] > '5')
		return false;
	bool class = strcmp(text + 1, "xx") == 0;
	if (!class && strspn(text, "0123456789") != 3)
		return false;
	*least = class ? (text[0] - '0') * 100 : atoi(text);
	*most = class ? *least + 99 : *least;
	return true;
}

static int parse_status(const struct request *request, struct invocation_query *q, struct err *err)
{
	const char *given = request_param(request, "status");
	int least, most;

	if (given == NULL)
		return 0;
	if (strcmp(given, "error") == 0 || strcmp(given, "success") == 0) {
		q->filter.failed = db_bool(given[0] == 'e');
		return 0;
	}
	if (!parse_class(given, &least, &most))
		return err_set(err, 0, "'status' must be success, error, an HTTP status such as 502, or a class such as 5xx");
	q->filter.status_least = db_int(least);
	q->filter.status_most = db_int(most);
	return 0;
}

static bool is_start_kind(const char *text)
{
	enum ipc_start_kind kind = start_kind_find(text, strlen(text));

	return kind != IPC_START_NONE && kind != IPC_START_COUNT;
}

static int parse_words(const struct request *request, struct invocation_query *q, struct err *err)
{
	const char *error_code = request_param(request, "error_code"), *runtime = request_param(request, "runtime");
	const char *start_kind = request_param(request, "start_kind"), *text = request_param(request, "text");
	const char *request_id = request_param(request, "request_id");

	if (error_code != NULL && problem_find(error_code, strlen(error_code)) == PROBLEM_COUNT)
		return err_set(err, 0, "'error_code' must be an error code, such as function_timeout");
	if (runtime != NULL && driver_find(runtime) == NULL)
		return err_set(err, 0, "'runtime' must be a runtime of functions, such as %s", drivers[0]->name);
	if (start_kind != NULL && !is_start_kind(start_kind))
		return err_set(err, 0, "'start_kind' must be cold, prewarmed or warm");
	if (text != NULL && (text[0] == '\0' || strlen(text) > INVOCATION_TEXT_MAX))
		return err_set(err, 0, "'text' must have 1 to %d bytes", INVOCATION_TEXT_MAX);
	if (request_id != NULL && (request_id[0] == '\0' || strlen(request_id) >= REQUEST_ID_SIZE))
		return err_set(err, 0, "'request_id' must have 1 to %d bytes", REQUEST_ID_SIZE - 1);
	q->filter.error_code = db_text(error_code);
	q->filter.request_id = db_text(request_id);
	q->filter.runtime = db_text(runtime);
	q->filter.start_kind = db_text(start_kind);
	q->filter.text = db_text(text);
	return 0;
}

/* A cursor is "<us since 1970>.<uuid>" of the last invocation of the previous page. */
static int parse_cursor(const struct request *request, struct invocation_query *q, struct err *err)
{
	const char *cursor = request_param(request, "cursor");
	struct uuid id;

	if (cursor == NULL)
		return 0;
	size_t digits = strspn(cursor, "0123456789");
	if (digits == 0 || digits > CURSOR_DIGITS || cursor[digits] != '.' || !uuid_parse(cursor + digits + 1, &id))
		return err_set(err, 0, "'cursor' must be the 'next' of an earlier answer");
	q->filter.before_at = db_time(strtoll(cursor, NULL, 10));
	q->filter.before_id = db_uuid(&id);
	return 0;
}

void invocation_query_next(const char *at_us, const char *id, char cursor[INVOCATION_CURSOR_SIZE])
{
	snprintf(cursor, INVOCATION_CURSOR_SIZE, "%s.%s", at_us, id);
}

static int parse_number(const struct request *request, const char *name, int64_t most, struct db_param *to, struct err *err)
{
	int64_t value = -1;

	if (request_param_int(request, name, 0, most, &value, err) < 0)
		return -1;
	if (value >= 0)
		*to = db_int(value);
	return 0;
}

int invocation_query_parse(const struct request *request, struct invocation_query *q, struct err *err)
{
	q->filter = (struct invocation_filter){0};
	q->limit = INVOCATION_LIMIT_DEFAULT;
	if (parse_period(request, q, err) < 0 || parse_status(request, q, err) < 0 || parse_words(request, q, err) < 0 ||
	    parse_cursor(request, q, err) < 0 || parse_number(request, "version", INT32_MAX, &q->filter.version, err) < 0 ||
	    parse_number(request, "slower_than_ms", SLOWEST_MS, &q->filter.slower_than_ms, err) < 0 ||
	    request_param_int(request, "limit", 1, INVOCATION_LIMIT_MAX, &q->limit, err) < 0)
		return -1;
	q->filter.limit = db_int(q->limit + 1);
	return 0;
}

int invocation_query_parse_search(const struct request *request, int64_t now_us, struct invocation_query *q, struct err *err)
{
	if (invocation_query_parse(request, q, err) < 0)
		return -1;
	if (db_param_value(&q->filter.request_id) == NULL)
		return err_set(err, 0,
			       "'request_id' is missing; the invocations of one function are at /functions/{id}/invocations");
	if (db_param_value(&q->filter.from) == NULL) {
		int64_t end_us = q->to_us >= 0 ? q->to_us : now_us;
		q->filter.from = db_time(MAX(end_us - INVOCATION_SEARCH_US, 0));
	}
	return 0;
}
