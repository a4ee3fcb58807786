#include "tests/support/described.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

#include "openapi/document.h"
#include "tests/unit/unit.h"

static struct document document;

static void forget(void)
{
	document_clear(&document);
}

static json_t *root(void)
{
	struct err err;

	if (document.root == NULL) {
		document_init(&document);
		assert_ok(document_add(&document, "openapi.json", &err));
		atexit(forget);
	}
	return document.root;
}

static const char *const branches[] = {"allOf", "anyOf", "oneOf"};

/* Does the schema say anything of what is inside? Else it is any JSON. */
static bool says_something(json_t *schema)
{
	json_t *target = document_target(&document, schema);
	bool says = json_object_get(target, "properties") != NULL || json_object_get(target, "additionalProperties") != NULL ||
		    json_object_get(target, "items") != NULL;

	for (size_t i = 0; i < ARRAY_SIZE(branches); i++)
		says = says || json_object_get(target, branches[i]) != NULL;
	return says;
}

/* The schema of a member; NULL: it is not described. */
static json_t *find_member(json_t *schema, const char *name)
{
	json_t *target = document_target(&document, schema), *branch;
	json_t *found = json_object_get(json_object_get(target, "properties"), name);
	size_t k;

	for (size_t i = 0; i < ARRAY_SIZE(branches) && found == NULL; i++)
		json_array_foreach (json_object_get(target, branches[i]), k, branch)
			if (found == NULL)
				found = find_member(branch, name);
	if (found == NULL && json_is_object(json_object_get(target, "additionalProperties")))
		found = json_object_get(target, "additionalProperties");
	return found;
}

static json_t *find_items(json_t *schema)
{
	return json_object_get(document_target(&document, schema), "items");
}

static void look(const char *what, json_t *schema, const json_t *json)
{
	char inner[256];
	const char *name;
	json_t *value;
	size_t i;

	if (!says_something(schema))
		return;
	json_object_foreach ((json_t *)json, name, value) {
		json_t *member = find_member(schema, name);
		snprintf(inner, sizeof(inner), "%s.%s", what, name);
		if (member == NULL)
			fail_msg("%s is not described: add it to fcgi/openapi/", inner);
		look(inner, member, value);
	}
	json_array_foreach (json, i, value)
		if (find_items(schema) != NULL)
			look(what, find_items(schema), value);
}

void assert_described(const char *schema, const json_t *json)
{
	json_t *found = json_object_get(json_object_get(json_object_get(root(), "components"), "schemas"), schema);

	assert_non_null(found);
	look(schema, found, json);
}

void assert_problem_described(const struct problem *problem)
{
	json_t *any = json_object_get(json_object_get(json_object_get(root(), "components"), "schemas"), "Problem");
	json_t *mapping = json_object_get(json_object_get(any, "discriminator"), "mapping");
	const char *code = problem_name(problem->code);
	AUTO(json_decrefp) json_t *schema = json_pack("{s:O}", "$ref", json_object_get(mapping, code));

	look(code, schema, problem->members);
}

/* Whether the path of uri fits a template such as /functions/{id}. */
static bool fits(const char *template, const char *uri)
{
	for (; *template != '\0'; template ++, uri++) {
		if (*template == '{') {
			template += strcspn(template, "}");
			uri += strcspn(uri, "/?");
			uri--;
		} else if (*template != *uri) {
			return false;
		}
	}
	return *uri == '\0' || *uri == '?';
}

/* What is spelled out goes before {id}. */
static json_t *find_path(const char *uri)
{
	json_t *item, *found = NULL;
	const char *template;

	json_object_foreach (json_object_get(root(), "paths"), template, item)
		if (fits(template, uri) && (found == NULL || strchr(template, '{') == NULL))
			found = item;
	return found;
}

void assert_answer_described(const char *method, const char *uri, int status, const json_t *json)
{
	char key[16], what[256];
	const char *type = status >= 400 ? "application/problem+json" : "application/json";

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (char)tolower((unsigned char)method[MIN(i, strlen(method))]);
	json_t *operation = json_object_get(find_path(uri), key);
	if (operation == NULL)
		return;
	snprintf(what, sizeof(what), "%s %s → %d", method, uri, status);
	snprintf(key, sizeof(key), "%d", status);
	json_t *response = document_target(&document, json_object_get(json_object_get(operation, "responses"), key));
	if (response == NULL)
		fail_msg("%s is not described: add it to fcgi/openapi/", what);
	json_t *content = json_object_get(response, "content");
	/* Not ready is no problem. */
	json_t *body = json_object_get(json, "code") == NULL ? json_object_get(content, "application/json") : NULL;
	look(what, json_object_get(body ?: json_object_get(content, type), "schema"), json);
}

void assert_written_answer_described(const char *method, const char *uri, const char *answer)
{
	const char *body = strstr(answer, "\r\n\r\n");
	int status;

	assert_int_equal(sscanf(answer, "Status: %d\r\n", &status), 1);
	assert_non_null(body);
	AUTO(json_decrefp) json_t *json = json_loads(body + 4, 0, NULL);
	assert_answer_described(method, uri, status, json);
}
