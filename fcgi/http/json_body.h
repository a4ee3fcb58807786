/* JSON from outside: the bodies of requests. */
#ifndef HTTP_JSON_BODY_H
#define HTTP_JSON_BODY_H

#include <jansson.h>
#include <stdbool.h>

#include "http/problem.h"

struct request;

/*
 * Parses the body as an object. A member that occurs twice is refused, because it would be ambiguous. On failure *problem says
 * where the JSON is wrong, or that it is not an object. The caller owns *json.
 */
int json_body_parse(const struct request *request, json_t **json, struct problem *problem);

/* A member that a body may have. Lists of them end with a NULL name. */
struct json_member_rule {
	const char *name;
	bool is_object;
};

/* Checks a body that is passed on unchanged: it must be empty, or an object with no other members than those of rules. */
int json_body_check(const struct request *request, const struct json_member_rule *rules, struct problem *problem);

#endif
