#include "openapi/problem_schemas.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "ipc/problem_code.h"

static const struct row {
	const char *code;
	int status;
	uint32_t retry_after_s;
	const char *title, *text;
} rows[] = {
#define PROBLEM(NAME, code, status, retry_after_s, title, help) {#code, status, retry_after_s, title, help},
#define NGINX_ONLY(status, code, title, detail)                 {#code, status, 0, title, detail},
#include "ipc/problem.def"
};

const size_t problem_schemas_count = ARRAY_SIZE(rows);

#define CODES_MAX ARRAY_SIZE(rows)
#define NAME_SIZE 64

/* The name of a component: the code "not_found" gives NotFound, and with the suffix "Problem" NotFoundProblem. */
static const char *name_of(const char *code, const char *suffix, char name[NAME_SIZE])
{
	size_t len = 0;

	for (const char *p = code; *p != '\0' && len + 1 < NAME_SIZE; p++)
		if (*p != '_')
			name[len++] = (char)(p == code || p[-1] == '_' ? toupper((unsigned char)*p) : *p);
	snprintf(name + len, NAME_SIZE - len, "%s", suffix);
	return name;
}

size_t problem_schemas_find(const char *code)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(rows) && strcmp(rows[i].code, code) != 0)
		i++;
	return i;
}

const char *problem_schemas_code(size_t i)
{
	return rows[i].code;
}

int problem_schemas_status(size_t i)
{
	return rows[i].status;
}

/* members: the members of this problem in addition to those of every problem; NULL: none. */
static void add_schema(struct document *d, const struct row *row, json_t *members)
{
	char name[NAME_SIZE];
	json_t *schema = document_component(d, "schemas", name_of(row->code, "Problem", name));
	json_t *properties = json_pack("{s:{s:o}, s:{s:s}, s:{s:i}, s:{s:s}}", "type", "const",
				       json_sprintf("urn:berth:problem:%s", row->code), "title", "const", row->title, "status",
				       "const", row->status, "code", "const", row->code);

	json_object_update(properties, json_object_get(members, "properties"));
	json_object_set_new(schema, "description", json_sprintf("%s. %s", row->title, row->text));
	json_object_set_new(schema, "type", json_string("object"));
	json_object_set_new(schema, "allOf", json_pack("[o]", document_ref("schemas", "ProblemMembers")));
	json_object_set_new(schema, "properties", properties);
	if (json_object_get(members, "required") != NULL)
		json_object_set(schema, "required", json_object_get(members, "required"));
	json_object_set_new(schema, "unevaluatedProperties", json_false());
}

json_t *problem_schemas_body(const size_t *codes, size_t count)
{
	json_t *schemas = json_array(), *mapping = json_object();
	char name[NAME_SIZE];

	for (size_t i = 0; i < count; i++) {
		json_t *schema = document_ref("schemas", name_of(rows[codes[i]].code, "Problem", name));
		json_object_set(mapping, rows[codes[i]].code, json_object_get(schema, "$ref"));
		json_array_append_new(schemas, schema);
	}
	if (count == 1) {
		json_t *only = json_incref(json_array_get(schemas, 0));
		json_decref(schemas);
		json_decref(mapping);
		return only;
	}
	return json_pack("{s:o, s:{s:s, s:o}}", "oneOf", schemas, "discriminator", "propertyName", "code", "mapping", mapping);
}

static json_t *whole_response(const size_t *codes, size_t count, json_t *more_headers)
{
	json_t *headers = json_pack("{s:o}", "X-Request-Id", document_ref("headers", "XRequestId"));
	bool retry = true;
	char text[1024] = "";

	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(text);
		retry = retry && rows[codes[i]].retry_after_s > 0;
		snprintf(text + len, sizeof(text) - len, "%s%s", i > 0 ? "; or: " : "", rows[codes[i]].title);
	}
	if (retry)
		json_object_set_new(headers, "Retry-After", document_ref("headers", "RetryAfter"));
	json_object_update(headers, more_headers);
	return json_pack("{s:o, s:o, s:{s:{s:o}}}", "description", json_sprintf("%s.", text), "headers", headers, "content",
			 "application/problem+json", "schema", problem_schemas_body(codes, count));
}

json_t *problem_schemas_response(struct document *d, const size_t *codes, size_t count, json_t *headers)
{
	char name[NAME_SIZE];

	if (count > 1 || headers != NULL)
		return whole_response(codes, count, headers);
	name_of(rows[codes[0]].code, "", name);
	json_object_update_new(document_component(d, "responses", name), whole_response(codes, 1, NULL));
	return document_ref("responses", name);
}

/* Which limits there are for requests. */
static void add_reasons(struct document *d)
{
	json_t *reasons = json_array(), *schema = document_component(d, "schemas", "ThrottledReason");
	AUTO(buf_free) struct buf text = {0};

	for (unsigned i = THROTTLED_NONE + 1; i < THROTTLED_COUNT; i++) {
		const char *name = throttled_name((enum throttled)i);
		json_array_append_new(reasons, json_string(name));
		buf_printf(&text, "%s%s (`%s`)", text.len > 0 ? "; " : "The limit of ", throttled_text((enum throttled)i),
			   name);
	}
	json_object_update_new(schema, json_pack("{s:o, s:s, s:o}", "description", json_sprintf("%s.", buf_str(&text)), "type",
						 "string", "enum", reasons));
}

void problem_schemas_add(struct document *d)
{
	json_t *members = json_object_get(json_object_get(d->root, "x-problems"), "members"), *unused;
	json_t *codes = json_array();
	size_t all[CODES_MAX];
	const char *code;

	json_object_foreach (members, code, unused)
		if (problem_schemas_find(code) == ARRAY_SIZE(rows))
			document_fault(d, "x-problems describes members of '%s', which is no code of ipc/problem.def", code);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		all[i] = i;
		add_schema(d, &rows[i], json_object_get(members, rows[i].code));
	}
	json_t *problem = document_component(d, "schemas", "Problem");
	json_object_set_new(problem, "description", json_string("Any problem."));
	json_object_update_new(problem, problem_schemas_body(all, ARRAY_SIZE(all)));
	for (unsigned i = 0; i < PROBLEM_COUNT; i++)
		json_array_append_new(codes, json_string(problem_name((enum problem_code)i)));
	json_object_set_new(document_component(d, "schemas", "ProblemCode"), "enum", codes);
	add_reasons(d);
}
