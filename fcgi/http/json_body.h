/* JSON from outside: bodies of requests, and text that may or may not be UTF-8. */
#ifndef HTTP_JSON_BODY_H
#define HTTP_JSON_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "http/problem.h"

struct request;

/*
 * The body as an object that means one thing: a member twice is refused. On failure *problem says where the JSON is wrong, or
 * that it is no object. The caller owns *json.
 */
int json_body_parse(const struct request *request, json_t **json, struct problem *problem);

/* A member that a body may have. A list of them ends with a NULL name. */
struct json_member_rule {
	const char *name;
	bool is_object;
};

/* Checks a body that is passed on as it is: nothing, or an object that has only the members of rules. */
int json_body_check(const struct request *request, const struct json_member_rule *rules, struct problem *problem);

/* A JSON string of any bytes: what is not UTF-8 becomes '?'. Never NULL. */
json_t *json_text(const char *text);
json_t *json_textn(const char *text, size_t len);

/* A time as RFC 3339. */
json_t *json_time(int64_t wall_us);

/* The longest prefix of at most max bytes that does not end inside a UTF-8 character. */
size_t json_text_cut(const char *text, size_t len, size_t max);

#endif
