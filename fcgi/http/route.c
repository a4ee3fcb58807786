#include "http/route.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "http/problem.h"
#include "http/response.h"

/* scripts/render-nginx makes nginx enforce the same limits. */
#define ESCAPED_MAX        6 /* \u00XX */
#define DEPLOYMENT_BESIDES (1 << 20)

#define NAME_MAX_BYTES 63

/* Whether it may be a function's name or id. Other texts are never sent to poolmgr or PostgreSQL. */
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

/* A page of another site can make its reader's browser send requests, although it cannot read the answers. */
static int check_origin(const struct request *request, struct response *response)
{
	if (request->method == METHOD_GET || !request->foreign)
		return 0;
	problem_respond(response, PROBLEM_CROSS_SITE, NULL,
			"A browser sent this request for a page of another site; only this platform's pages may change or run "
			"anything");
	return -1;
}

/* Only one spelling of a path is accepted, so that a function has one queue and one limit in nginx. All letters of the patterns
 * are lower case. */
static int check_spelling(const struct request *request, struct response *response)
{
	for (int i = 0; i < request->segment_count; i++) {
		for (const char *p = request->segments[i]; *p != '\0'; p++) {
			if (!isupper((unsigned char)*p))
				continue;
			problem_respond(response, PROBLEM_INVALID_REQUEST, NULL,
					"'%s' has capital letters; names and ids are lower case", request->segments[i]);
			return -1;
		}
	}
	return 0;
}

/* Requests that a browser sends for any page without asking first have a different type, or none. */
static int check_type(const struct request *request, struct response *response)
{
	const char *type = request->content_type;

	if (request->content_length == 0 || strcmp(type, "application/json") == 0)
		return 0;
	problem_respond(response, PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL,
			"The body's Content-Type is %s; send JSON with Content-Type: application/json",
			type[0] ? type : "missing");
	return -1;
}

static int check_size(enum route_body body, const struct conf *conf, json_int_t actual, struct response *response)
{
	bool deployment = body == ROUTE_DEPLOYMENT;
	json_int_t limit = deployment ? conf->limits_code_bytes * ESCAPED_MAX + DEPLOYMENT_BESIDES : conf->limits_request_bytes;

	if (actual <= limit)
		return 0;
	problem_respond(response, PROBLEM_PAYLOAD_TOO_LARGE, json_pack("{s:I, s:I}", "limit", limit, "actual", actual),
			"The body has %lld bytes; the limit is %lld (%s)", (long long)actual, (long long)limit,
			deployment ? "from limits.code_bytes" : "limits.request_bytes");
	return -1;
}

static int check_params(const struct route *route, const struct request *request, struct response *response)
{
	for (int i = 0; i < request->param_count; i++) {
		if (word_in(route->params, request->params[i].name))
			continue;
		problem_respond(response, PROBLEM_INVALID_REQUEST, NULL,
				"Unknown query parameter '%.40s'; this endpoint takes %s", request->params[i].name,
				route->params[0] ? route->params : "none");
		return -1;
	}
	return 0;
}

static int check(const struct route *route, const struct conf *conf, const struct request *request, struct response *response)
{
	if (check_origin(request, response) < 0 || check_spelling(request, response) < 0 ||
	    check_params(route, request, response) < 0)
		return -1;
	if (route->max_body == ROUTE_NO_BODY)
		return 0;
	return check_type(request, response) < 0 ? -1 : check_size(route->max_body, conf, request->content_length, response);
}

const struct route *route_select(const struct route *routes, size_t count, const struct conf *conf,
				 const struct request *request, struct response *response)
{
	unsigned allowed = 0;

	for (const struct route *r = routes; r < routes + count; r++) {
		if (!path_matches(r->pattern, request))
			continue;
		if (r->method == request->method)
			return check(r, conf, request, response) == 0 ? r : NULL;
		allowed |= 1u << r->method;
	}
	if (allowed != 0)
		refuse_method(request, allowed, response);
	else
		problem_respond(response, PROBLEM_NOT_FOUND, NULL, "There is no resource at %s", request->path);
	return NULL;
}
