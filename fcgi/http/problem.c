#include "http/problem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/json_body.h"
#include "http/request.h"
#include "http/response.h"

static const struct row {
	const char *name;
	int status;
	uint32_t retry_after_s;
	const char *title, *help;
} rows[PROBLEM_COUNT] = {
#define PROBLEM(NAME, code, status, retry_after_s, title, help) [PROBLEM_##NAME] = {#code, status, retry_after_s, title, help},
#include "ipc/problem.def"
#undef PROBLEM
};

static const struct row *row_of(enum problem_code code)
{
	assert((unsigned)code < PROBLEM_COUNT);
	return &rows[code];
}

const char *problem_name(enum problem_code code)
{
	return row_of(code)->name;
}

int problem_status(enum problem_code code)
{
	return row_of(code)->status;
}

const char *problem_help(enum problem_code code)
{
	return row_of(code)->help;
}

enum problem_code problem_find(const char *name, size_t len)
{
	unsigned code = 0;

	while (code < PROBLEM_COUNT && (strlen(rows[code].name) != len || memcmp(rows[code].name, name, len) != 0))
		code++;
	return (enum problem_code)code;
}

static void set(struct problem *p, enum problem_code code, json_t *members, const char *detail, va_list ap)
{
	problem_clear(p);
	p->code = code;
	p->members = members;
	vsnprintf(p->detail, sizeof(p->detail), detail, ap);
}

void problem_set(struct problem *p, enum problem_code code, json_t *members, const char *detail, ...)
{
	va_list ap;

	va_start(ap, detail);
	set(p, code, members, detail, ap);
	va_end(ap);
}

void problem_clear(struct problem *p)
{
	json_decref(p->members);
	*p = (struct problem){0};
}

const char *problem_detail(const struct problem *p)
{
	return p->detail[0] != '\0' ? p->detail : problem_help(p->code);
}

void problem_send(const struct problem *p, struct response *response)
{
	const struct row *row = row_of(p->code);
	AUTO(json_decrefp) json_t *body = json_object();
	uint32_t retry_after_s = p->retry_after_ms > 0 ? (p->retry_after_ms + 999) / 1000 : row->retry_after_s;

	json_object_set_new(body, "type", json_sprintf("urn:berth:problem:%s", row->name));
	json_object_set_new(body, "title", json_string(row->title));
	json_object_set_new(body, "status", json_integer(row->status));
	json_object_set_new(body, "detail", json_text(problem_detail(p)));
	json_object_set_new(body, "instance", json_text(response->request->path));
	json_object_set_new(body, "code", json_string(row->name));
	json_object_set_new(body, "request_id", json_text(response->request->id));
	json_object_update_missing(body, p->members);

	if (retry_after_s > 0)
		response_header(response, "Retry-After", "%u", retry_after_s);
	response_json(response, row->status, "application/problem+json", body);
}

void problem_respond(struct response *response, enum problem_code code, json_t *members, const char *detail, ...)
{
	AUTO(problem_clear) struct problem p = {0};
	va_list ap;

	va_start(ap, detail);
	set(&p, code, members, detail, ap);
	va_end(ap);
	problem_send(&p, response);
}
