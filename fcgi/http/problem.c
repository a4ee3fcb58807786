#include "http/problem.h"

#include <stdarg.h>
#include <stdio.h>

#include "http/json_text.h"
#include "http/request.h"
#include "http/response.h"

static PRINTF_LIKE(4, 0) void set(struct problem *p, enum problem_code code, json_t *members, const char *detail, va_list ap)
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
	const char *name = problem_name(p->code);
	int status = problem_status(p->code);
	AUTO(json_decrefp) json_t *body = json_object();
	uint32_t retry_after_s = p->retry_after_ms > 0 ? (p->retry_after_ms + 999) / 1000 : problem_retry_after_s(p->code);

	json_object_set_new(body, "type", json_sprintf("urn:berth:problem:%s", name));
	json_object_set_new(body, "title", json_string(problem_title(p->code)));
	json_object_set_new(body, "status", json_integer(status));
	json_object_set_new(body, "detail", json_text(problem_detail(p)));
	json_object_set_new(body, "instance", json_text(response->request->path));
	json_object_set_new(body, "code", json_string(name));
	json_object_set_new(body, "request_id", json_text(response->request->id));
	json_object_update_missing(body, p->members);

	if (retry_after_s > 0)
		response_header(response, "Retry-After", "%u", retry_after_s);
	response_json(response, status, "application/problem+json", body);
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
