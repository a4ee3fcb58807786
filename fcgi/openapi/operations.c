#include "openapi/operations.h"

#include <assert.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "openapi/problem_schemas.h"

#define METHOD_SIZE  16
#define STATUS_FIRST 200
#define STATUS_LAST  599

/* One operation, and the route that serves it. */
struct operation {
	struct document *d;
	const struct route *route;
	char name[160]; /* "GET /functions" */
	json_t *path;   /* the path item, with the parameters of all its operations */
	json_t *json;
	bool *used; /* for each problem code: whether any operation may answer it */
};

/* The method in lower case, as in OpenAPI. */
static const char *method_key(enum request_method method, char key[METHOD_SIZE])
{
	snprintf(key, METHOD_SIZE, "%s", request_method_name(method));
	for (char *p = key; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return key;
}

/* ---- Parameters and bodies ---- */

static json_t *find_parameter(const struct operation *o, const char *in, const char *name)
{
	json_t *lists[] = {json_object_get(o->path, "parameters"), json_object_get(o->json, "parameters")}, *node;
	size_t k;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		json_array_foreach (lists[i], k, node) {
			json_t *parameter = document_target(o->d, node);
			const char *its_in = json_string_value(json_object_get(parameter, "in"));
			const char *its_name = json_string_value(json_object_get(parameter, "name"));
			if (its_in != NULL && its_name != NULL && strcmp(its_in, in) == 0 && strcmp(its_name, name) == 0)
				return parameter;
		}
	}
	return NULL;
}

static void check_parameter(const struct operation *o, const char *in, const char *name)
{
	static const char *const needed[] = {"description", "schema", "example"};
	const json_t *parameter = find_parameter(o, in, name);

	if (parameter == NULL)
		document_fault(o->d, "%s: the parameter '%s' is not described", o->name, name);
	for (size_t i = 0; parameter != NULL && i < ARRAY_SIZE(needed); i++)
		if (json_object_get(parameter, needed[i]) == NULL)
			document_fault(o->d, "%s: the parameter '%s' has no %s", o->name, name, needed[i]);
}

static bool word_in(const char *list, const char *word)
{
	AUTO(mem_free) char *words = mem_strdup(list);

	for (char *rest = words, *w; (w = strsep(&rest, " ")) != NULL;)
		if (strcmp(w, word) == 0)
			return true;
	return false;
}

static void check_query(const struct operation *o)
{
	AUTO(mem_free) char *words = mem_strdup(o->route->params);
	json_t *node;
	size_t i;

	for (char *rest = words, *word; (word = strsep(&rest, " ")) != NULL;)
		if (word[0] != '\0')
			check_parameter(o, "query", word);
	json_array_foreach (json_object_get(o->json, "parameters"), i, node) {
		const json_t *parameter = document_target(o->d, node);
		const char *in = json_string_value(json_object_get(parameter, "in"));
		const char *name = json_string_value(json_object_get(parameter, "name"));
		if (in != NULL && name != NULL && strcmp(in, "query") == 0 && !word_in(o->route->params, name))
			document_fault(o->d, "%s: the parameter '%s' is described, but the route does not take it", o->name,
				       name);
	}
}

/* Checks the parameters in the path, which are the names in braces. */
static void check_path(const struct operation *o)
{
	char name[64];

	for (const char *p = strchr(o->route->pattern, '{'); p != NULL; p = strchr(p + 1, '{')) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(p + 1, "}"), p + 1);
		check_parameter(o, "path", name);
	}
}

static void check_words(const struct operation *o)
{
	static const char *const needed[] = {"operationId", "summary", "tags", "responses"};
	bool takes_body = o->route->max_body != ROUTE_NO_BODY;

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (json_object_get(o->json, needed[i]) == NULL)
			document_fault(o->d, "%s has no %s", o->name, needed[i]);
	if (takes_body != (json_object_get(o->json, "requestBody") != NULL))
		document_fault(o->d, takes_body ? "%s: its body is not described" : "%s: a body is described, but not read",
			       o->name);
}

/* ---- Problems ---- */

struct codes {
	size_t list[128];
	size_t count;
};

static void add_code(const struct operation *o, const char *name, struct codes *codes)
{
	size_t code = problem_schemas_find(name);

	if (code == problem_schemas_count) {
		document_fault(o->d, "%s: '%s' is no code of ipc/problem.def", o->name, name);
		return;
	}
	o->used[code] = true;
	for (size_t i = 0; i < codes->count; i++)
		if (codes->list[i] == code)
			return;
	assert(codes->count < ARRAY_SIZE(codes->list));
	codes->list[codes->count++] = code;
}

static void add_codes(const struct operation *o, const json_t *names, struct codes *codes)
{
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		add_code(o, json_string_value(name) ?: "", codes);
}

/* The codes that follow from the route, by the rules in problems.json, and those of the operation's own x-problems. */
static void collect_codes(const struct operation *o, struct codes *codes)
{
	const json_t *rules = json_object_get(o->d->root, "x-problems");
	const struct {
		const char *rule;
		bool applies;
	} applying[] = {
		{"any", true},
		{"id", strchr(o->route->pattern, '{') != NULL},
		{"change", o->route->method != METHOD_GET},
		{"body", o->route->max_body != ROUTE_NO_BODY},
	};

	for (size_t i = 0; i < ARRAY_SIZE(applying); i++)
		if (applying[i].applies)
			add_codes(o, json_object_get(rules, applying[i].rule), codes);
	add_codes(o, json_object_get(o->json, "x-problems"), codes);
}

/* The response of a status: what is described by hand, with the status's problems. A new reference; NULL: there is none. */
static json_t *response_of(const struct operation *o, int status, const struct codes *all)
{
	json_t *headers = json_object_get(o->json, "x-problem-headers"), *described;
	struct codes codes = {.count = 0};
	char key[16];

	for (size_t i = 0; i < all->count; i++)
		if (problem_schemas_status(all->list[i]) == status)
			codes.list[codes.count++] = all->list[i];
	snprintf(key, sizeof(key), "%d", status);
	described = json_object_get(json_object_get(o->json, "responses"), key);
	if (described == NULL)
		return codes.count > 0 ? problem_schemas_response(o->d, codes.list, codes.count, headers) : NULL;
	json_object_set_new(document_member(described, "headers"), "X-Request-Id", document_ref("headers", "XRequestId"));
	if (codes.count > 0)
		json_object_set_new(document_member(described, "content"), "application/problem+json",
				    json_pack("{s:o}", "schema", problem_schemas_body(codes.list, codes.count)));
	return json_incref(described);
}

static void add_responses(const struct operation *o)
{
	json_t *responses = json_object(), *response;
	struct codes codes = {.count = 0};
	char key[16];

	collect_codes(o, &codes);
	for (int status = STATUS_FIRST; status <= STATUS_LAST; status++) {
		snprintf(key, sizeof(key), "%d", status);
		if ((response = response_of(o, status, &codes)) != NULL)
			json_object_set_new(responses, key, response);
	}
	json_object_set_new(o->json, "responses", responses);
	json_object_del(o->json, "x-problems");
	json_object_del(o->json, "x-problem-headers");
}

/* ---- All of them ---- */

static void add_route(struct document *d, const struct route *route, bool *used, json_t *served)
{
	struct operation o = {.d = d, .route = route, .used = used};
	char key[METHOD_SIZE];

	snprintf(o.name, sizeof(o.name), "%s %s", request_method_name(route->method), route->pattern);
	o.path = json_object_get(json_object_get(d->root, "paths"), route->pattern);
	o.json = json_object_get(o.path, method_key(route->method, key));
	if (o.json == NULL) {
		document_fault(d, "%s is not described", o.name);
		return;
	}
	json_object_set_new(document_member(served, route->pattern), key, json_true());
	check_words(&o);
	check_path(&o);
	check_query(&o);
	add_responses(&o);
}

static void check_served(struct document *d, const json_t *served)
{
	const char *path, *method;
	json_t *item, *operation;

	json_object_foreach (json_object_get(d->root, "paths"), path, item)
		json_object_foreach (item, method, operation)
			if (strcmp(method, "parameters") != 0 && json_object_get(json_object_get(served, path), method) == NULL)
				document_fault(d, "%s %s is described, but there is no such route", method, path);
}

static void check_codes(struct document *d, bool *used)
{
	struct operation elsewhere = {.d = d, .name = "x-problems.elsewhere", .used = used};
	struct codes codes = {.count = 0};

	add_codes(&elsewhere, json_object_get(json_object_get(d->root, "x-problems"), "elsewhere"), &codes);
	for (size_t i = 0; i < problem_schemas_count; i++)
		if (!used[i])
			document_fault(d, "no operation answers '%s' of ipc/problem.def", problem_schemas_code(i));
}

void operations_add(struct document *d, const struct operations_table *tables, size_t count)
{
	AUTO(json_decrefp) json_t *served = json_object();
	AUTO(mem_free) bool *used = mem_alloc(problem_schemas_count * sizeof(*used));

	for (size_t t = 0; t < count; t++)
		for (size_t i = 0; i < tables[t].count; i++)
			add_route(d, &tables[t].routes[i], used, served);
	check_served(d, served);
	check_codes(d, used);
	json_object_del(d->root, "x-problems");
}
