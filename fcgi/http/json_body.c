#include "http/json_body.h"

#include <stdbool.h>
#include <string.h>

#include "base/json_scan.h"
#include "base/mem.h"
#include "http/json_text.h"
#include "http/request.h"

static int invalid_json(struct problem *problem, int line, int column, const char *what)
{
	problem_set(problem, PROBLEM_INVALID_JSON, json_pack("{s:i, s:i}", "line", line, "column", column),
		    "The body is not valid JSON, line %d column %d: %s", line, column, what);
	return -1;
}

static int too_much(struct problem *problem)
{
	problem_set(problem, PROBLEM_INVALID_REQUEST, NULL,
		    "The body has more than %d members and elements, or is nested more than %d deep", JSON_SCAN_SMALL_VALUES,
		    JSON_SCAN_SMALL_DEPTH);
	return -1;
}

static int no_object(struct problem *problem)
{
	problem_set(problem, PROBLEM_INVALID_REQUEST, NULL, "The body must be a JSON object");
	return -1;
}

int json_body_parse(const struct request *request, json_t **json, struct problem *problem)
{
	struct json_scan_error scanned;
	json_error_t e;
	const char *body = request->body_len > 0 ? request->body : ""; /* never NULL, for which jansson reports no line */
	/* The size is checked before parsing, which takes some seventy times the memory of [{},{},…]. The parser reports other
	 * mistakes. */
	if (json_scan_small(body, request->body_len, &scanned) < 0 && scanned.too_much)
		return too_much(problem);
	AUTO(json_decrefp)
	json_t *parsed = json_loadb(body, request->body_len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &e);
	if (parsed == NULL)
		return invalid_json(problem, e.line, e.column, e.text);
	if (!json_is_object(parsed))
		return no_object(problem);
	*json = TAKE_PTR(parsed);
	return 0;
}

struct check {
	const struct json_member_rule *rules;
	struct problem *problem;
};

enum { MEMBER_REFUSED = 1 };

static int check_member(void *context, const struct json_scan_member *m)
{
	const struct check *check = context;

	for (const struct json_member_rule *r = check->rules; r->name != NULL; r++) {
		if (strlen(r->name) != m->name_len || memcmp(r->name, m->name, m->name_len) != 0)
			continue;
		if (!r->is_object || m->value == '{')
			return 0;
		problem_set(check->problem, PROBLEM_INVALID_REQUEST, NULL, "%s must be an object", r->name);
		return MEMBER_REFUSED;
	}
	problem_set(check->problem, PROBLEM_INVALID_REQUEST, NULL, "Unknown field '%.*s'",
		    (int)json_text_cut(m->name, m->name_len, 64), m->name);
	return MEMBER_REFUSED;
}

int json_body_check(const struct request *request, const struct json_member_rule *rules, struct problem *problem)
{
	struct check check = {rules, problem};
	struct json_scan_visitor visitor = {check_member, &check};
	struct json_scan_error e;

	if (request->body_len == 0)
		return 0;
	int rc = json_scan(request->body, request->body_len, &visitor, &e);
	if (rc < 0)
		return invalid_json(problem, (int)e.line, (int)e.column, e.what);
	if (rc == 0 && request->body[strspn(request->body, " \t\r\n")] != '{')
		return no_object(problem);
	return rc == 0 ? 0 : -1;
}
