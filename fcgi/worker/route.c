#include "worker/route.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "worker/execute.h"
#include "worker/functions.h"
#include "worker/health.h"
#include "worker/problem.h"
#include "worker/response.h"

#define BODY offsetof(struct conf, limits_request_bytes)

#define NAME_MAX_BYTES 63

static const struct route routes[] = {
	{CHILD_INVOKE, METHOD_POST, "/execute/{id}", "version", BODY, execute},

	{CHILD_CONTROL, METHOD_POST, "/functions", "", BODY, functions_create},
	{CHILD_CONTROL, METHOD_GET, "/functions", "limit cursor", 0, functions_list},
	{CHILD_CONTROL, METHOD_GET, "/functions/{id}", "", 0, functions_get},
	{CHILD_CONTROL, METHOD_PUT, "/functions/{id}", "", BODY, functions_update},
	{CHILD_CONTROL, METHOD_DELETE, "/functions/{id}", "", 0, functions_delete},

	{CHILD_CONTROL, METHOD_GET, "/limits", "", 0, health_limits},
	{CHILD_CONTROL, METHOD_GET, "/healthz", "", 0, health_alive},
	{CHILD_CONTROL, METHOD_GET, "/readyz", "", 0, health_ready},
};

const struct route *route_table(size_t *count)
{
	*count = ARRAY_SIZE(routes);
	return routes;
}

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

static int check(const struct route *route, const struct conf *conf, const struct request *request, struct response *response)
{
	for (int i = 0; i < request->param_count; i++) {
		if (word_in(route->params, request->params[i].name))
			continue;
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL, "There is no parameter '%.40s' here; known are: %s",
				request->params[i].name, route->params[0] ? route->params : "none");
		return -1;
	}
	if (route->max_body == 0)
		return 0;

	json_int_t limit = *(const int64_t *)((const char *)conf + route->max_body);
	if (request->content_length > limit) {
		json_int_t actual = request->content_length;
		problem_respond(response, PROBLEM_PAYLOAD_TOO_LARGE, json_pack("{s:I, s:I}", "limit", limit, "actual", actual),
				"The body has %lld bytes, the limit is %lld (limits.request_bytes)", (long long)actual,
				(long long)limit);
		return -1;
	}
	return 0;
}

const struct route *route_select(enum child_role role, const struct conf *conf, const struct request *request,
				 struct response *response)
{
	unsigned allowed = 0;

	for (const struct route *r = routes; r < routes + ARRAY_SIZE(routes); r++) {
		if (r->role != role || !path_matches(r->pattern, request))
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
