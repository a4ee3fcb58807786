#include "follow/follower.h"

#include <inttypes.h>
#include <string.h>

#include "api/log_row.h"
#include "api/memory.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/problem.h"
#include "http/route.h"

#define READ_TIMEOUT_MS 1000 /* nginx has the whole request when it connects */
#define WAIT_DEFAULT_S  25
#define WAIT_MAX_S      60
#define LIMIT_DEFAULT   20
#define LIMIT_MAX       100

static void no_handler(struct worker *w, const struct request *request, struct response *response)
{
	(void)w, (void)request, (void)response; /* follow.c answers the request in several steps instead */
}

const struct route follower_routes[] = {
	{METHOD_GET, "/functions/{id}/logs", "after wait_s limit level", ROUTE_NO_BODY, no_handler},
};
const size_t follower_route_count = ARRAY_SIZE(follower_routes);

/* text: "<transaction>", or "<transaction>.<us since 1970>.<uuid>". */
static int parse_place(const char *text, struct log_place *place, struct err *err)
{
	size_t digits = text != NULL ? strspn(text, "0123456789") : 0, more;
	struct uuid id;

	*place = (struct log_place){.stored_in = -1};
	if (text == NULL)
		return 0;
	if (digits == 0 || digits > 18)
		return err_set(err, 0, "'after' must be the 'next' of an earlier answer");
	place->stored_in = strtoll(text, NULL, 10);
	if (text[digits] == '\0')
		return 0;
	more = strspn(text + digits + 1, "0123456789");
	if (text[digits] != '.' || more == 0 || more > 17 || text[digits + 1 + more] != '.' ||
	    !uuid_parse(text + digits + more + 2, &id))
		return err_set(err, 0, "'after' must be the 'next' of an earlier answer");
	place->in_midst = true;
	place->at_us = strtoll(text + digits + 1, NULL, 10);
	place->id = id;
	return 0;
}

static bool take_params(struct follower *f)
{
	const char *after = request_param(&f->request, "after");
	int64_t wait_s = WAIT_DEFAULT_S;
	struct err err;

	f->limit = LIMIT_DEFAULT;
	if (parse_place(after, &f->place, &err) < 0 || log_row_parse_level(&f->request, &f->least, &err) < 0 ||
	    request_param_int(&f->request, "wait_s", 0, WAIT_MAX_S, &wait_s, &err) < 0 ||
	    request_param_int(&f->request, "limit", 1, LIMIT_MAX, &f->limit, &err) < 0) {
		problem_respond(&f->response, PROBLEM_INVALID_REQUEST, NULL, "%s", err.msg);
		return false;
	}
	f->waits = after != NULL && wait_s > 0;
	f->deadline_us = clock_mono_us() + wait_s * 1000000;
	return true;
}

static const char *variable(void *context, const char *name)
{
	return connection_variable(context, name);
}

bool follower_begin(struct follower *f, const struct conf *conf, int stolen_fd)
{
	AUTO(fd_close) int fd = stolen_fd;
	struct err err;

	if (connection_new(&f->connection, &err) < 0) {
		log_error("%s", err.msg);
		return false;
	}
	if (connection_begin(f->connection, TAKE_FD(fd), READ_TIMEOUT_MS, &err) < 0) {
		log_debug("%s", err.msg);
		return false;
	}
	struct request_source source = {
		.method = connection_variable(f->connection, "REQUEST_METHOD"),
		.uri = connection_variable(f->connection, "REQUEST_URI"),
		.query = connection_variable(f->connection, "QUERY_STRING"),
		.variable = variable,
		.context = f->connection,
		.now_us = clock_wall_us(),
	};
	int rc = request_parse(&source, &f->request, &err);
	log_set_request(f->request.id);
	response_begin(&f->response, &f->request);
	if (rc < 0) {
		problem_respond(&f->response, PROBLEM_INVALID_REQUEST, NULL, "The request is invalid: %s", err.msg);
		return false;
	}
	return route_select(follower_routes, follower_route_count, conf, &f->request, &f->response) != NULL && take_params(f);
}

struct db_log_asker follower_asker(const struct follower *f)
{
	return (struct db_log_asker){
		.ref = f->function_id[0] != '\0' ? f->function_id : f->request.segments[1],
		.place = f->place,
		.limit = (int)f->limit,
	};
}

/* Adds the logs that fit on a page, and moves the place behind them. */
static void add_logs(struct follower *f, const PGresult *logs, const struct db_log_reply *news, struct buf *json)
{
	f->place = news->place;
	for (int row = news->first; row < news->first + news->count; row++) {
		bool first = row == news->first;
		size_t before = json->len;
		buf_add_str(json, first ? "" : ",");
		bool whole = log_row_json(logs, row, 1, f->least, 0, json);
		/* The rest is for the next request. */
		if (!first && (!whole || json->len > FOLLOWER_PAGE_BYTES)) {
			json->len = before;
			db_log_place(logs, row - 1, &f->place);
			return;
		}
	}
}

void follower_answer(struct follower *f, const PGresult *logs, const struct db_log_reply *news)
{
	AUTO(buf_free) struct buf json = {0};

	buf_add_str(&json, "{\"items\":[");
	add_logs(f, logs, news, &json);
	buf_printf(&json, "],\"next\":\"%" PRId64, f->place.stored_in);
	if (f->place.in_midst) {
		char id[UUID_TEXT_SIZE];
		uuid_format(&f->place.id, id);
		buf_printf(&json, ".%" PRId64 ".%s", f->place.at_us, id);
	}
	buf_add_str(&json, "\"}");
	response_body(&f->response, 200, "application/json", &(struct str){json.data, (uint32_t)json.len}, 1);
}

void follower_answer_nothing(struct follower *f)
{
	follower_answer(f, NULL, &(struct db_log_reply){.place = f->place});
}

void follower_end(struct follower **follower)
{
	struct follower *f = *follower;
	struct str parts[RESPONSE_PARTS_MAX];
	struct err err;

	if (f->response.status != 0 && connection_end(f->connection, parts, response_parts(&f->response, parts), &err) < 0)
		log_debug("answer not delivered: %s", err.msg);
	connection_free(&f->connection);
	response_free(&f->response);
	mem_free(follower);
	memory_trim();
}
