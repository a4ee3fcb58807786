#include "worker/route.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "worker/problem.h"
#include "worker/response.h"
#include "worker/service.h"

/* scripts/render-nginx has nginx enforce the same. */
#define ESCAPED_MAX        6 /* \u00XX */
#define DEPLOYMENT_BESIDES (1 << 20)

#define NAME_MAX_BYTES 63

/* Could it be a function's name or id? What could not has no place in a question to poolmgr or PostgreSQL. */
static bool is_reference(const char *segment)
{
	size_t len = strspn(segment, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return len > 0 && len <= NAME_MAX_BYTES && segment[len] == '\0';
}

static bool path_matches(const char *pattern, const struct request *request)
{
	int i = 0;

	for (; *pattern == '/' && i < request->segment_count; i++) {
		size_t len = strcspn(++pattern, "/");
		const char *segment = request->segments[i];
		bool fits =
			*pattern == '{' ? is_reference(segment) : strlen(segment) == len && memcmp(segment, pattern, len) == 0;
		if (!fits)
			return false;
		pattern += len;
	}
	return *pattern == '\0' && i == request->segment_count;
}

/* Whether name is one of the words of list. */
static bool word_in(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; len > 0 && (at = strstr(at, name)) != NULL; at++)
		if ((at == list || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

static void refuse_method(const struct request *request, unsigned allowed, struct response *response)
{
	char list[64] = "";

	for (unsigned m = 0; m < METHOD_OTHER; m++)
		if (allowed & 1u << m)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s%s", list[0] ? ", " : "",
				 request_method_name(m), m == METHOD_GET ? ", HEAD" : "");
	response_header(response, "Allow", "%s", list);
	problem_respond(response, PROBLEM_METHOD_NOT_ALLOWED, NULL, "%s allows %s", request->path, list);
}

static int check_body(enum route_body body, const struct conf *conf, json_int_t actual, struct response *response)
{
	bool deployment = body == ROUTE_DEPLOYMENT;
	json_int_t limit = deployment ? conf->limits_code_bytes * ESCAPED_MAX + DEPLOYMENT_BESIDES : conf->limits_request_bytes;

	if (body == ROUTE_NO_BODY || actual <= limit)
		return 0;
	problem_respond(response, PROBLEM_PAYLOAD_TOO_LARGE, json_pack("{s:I, s:I}", "limit", limit, "actual", actual),
			"The body has %lld bytes, the limit is %lld (%s)", (long long)actual, (long long)limit,
			deployment ? "from limits.code_bytes" : "limits.request_bytes");
	return -1;
}

static int check(const struct route *route, const struct conf *conf, const struct request *request, struct response *response)
{
	for (int i = 0; i < request->param_count; i++) {
		if (word_in(route->params, request->params[i].name))
			continue;
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL,
				"Unknown query parameter '%.40s'; this endpoint takes %s", request->params[i].name,
				route->params[0] ? route->params : "none");
		return -1;
	}
	return check_body(route->max_body, conf, request->content_length, response);
}

const struct route *route_select(const struct service *service, const struct conf *conf, const struct request *request,
				 struct response *response)
{
	unsigned allowed = 0;

	for (const struct route *r = service->routes; r < service->routes + service->route_count; r++) {
		if (!path_matches(r->pattern, request))
			continue;
		if (r->method == request->method)
			return check(r, conf, request, response) == 0 ? r : NULL;
		allowed |= 1u << r->method;
	}
	if (allowed != 0)
		refuse_method(request, allowed, response);
	else
		problem_respond(response, PROBLEM_NOT_FOUND, NULL, "There is nothing at %s", request->path);
	return NULL;
}
