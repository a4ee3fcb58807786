#include "openapi/document.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

void document_init(struct document *d)
{
	d->root = json_object();
	d->faults = json_array();
}

void document_clear(struct document *d)
{
	json_decref(d->root);
	json_decref(d->faults);
	*d = (struct document){0};
}

void document_fault(struct document *d, const char *text, ...)
{
	va_list ap;

	va_start(ap, text);
	json_array_append_new(d->faults, json_vsprintf(text, ap));
	va_end(ap);
}

static void merge(struct document *d, json_t *to, json_t *from, const char *path)
{
	const char *name;
	json_t *value;

	json_object_foreach (from, name, value) {
		json_t *there = json_object_get(to, name);
		if (there == NULL)
			json_object_set(to, name, value);
		else if (json_is_object(there) && json_is_object(value))
			merge(d, there, value, path);
		else if (json_is_array(there) && json_is_array(value))
			json_array_extend(there, value);
		else
			document_fault(d, "%s: '%s' is there already", path, name);
	}
}

int document_add(struct document *d, const char *path, struct err *err)
{
	json_error_t why;
	AUTO(json_decrefp) json_t *part = json_load_file(path, JSON_REJECT_DUPLICATES, &why);

	if (!json_is_object(part))
		return err_set(err, EINVAL, "%s, line %d: %s", path, why.line, why.text);
	merge(d, d->root, part, path);
	return 0;
}

json_t *document_member(json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	if (!json_is_object(member))
		json_object_set_new(object, name, member = json_object());
	return member;
}

json_t *document_component(struct document *d, const char *kind, const char *name)
{
	return document_member(document_member(document_member(d->root, "components"), kind), name);
}

json_t *document_ref(const char *kind, const char *name)
{
	return json_pack("{s:o}", "$ref", json_sprintf("#/components/%s/%s", kind, name));
}

json_t *document_target(const struct document *d, json_t *node)
{
	const char *ref = json_string_value(json_object_get(node, "$ref"));

	if (ref == NULL)
		return node;
	if (strncmp(ref, "#/", 2) != 0)
		return NULL;
	AUTO(mem_free) char *path = mem_strdup(ref + 2);
	json_t *at = d->root;
	for (char *rest = path, *name; at != NULL && (name = strsep(&rest, "/")) != NULL;)
		at = json_object_get(at, name);
	return at;
}

static void check_references(struct document *d, json_t *node)
{
	const char *name;
	json_t *child;
	size_t i;

	if (json_object_get(node, "$ref") != NULL && document_target(d, node) == NULL)
		document_fault(d, "'%s' is referred to, but does not exist", json_string_value(json_object_get(node, "$ref")));
	json_object_foreach (node, name, child)
		check_references(d, child);
	json_array_foreach (node, i, child)
		check_references(d, child);
}

/* A property with a constant value needs no description: it narrows a property that is described elsewhere. */
static void check_descriptions(struct document *d, const char *schema, json_t *node)
{
	json_t *child, *properties = json_object_get(node, "properties");
	const char *name;
	size_t i;

	json_object_foreach (properties, name, child)
		if (json_string_length(json_object_get(child, "description")) == 0 && json_object_get(child, "const") == NULL)
			document_fault(d, "%s: the property '%s' has no description", schema, name);
	json_object_foreach (node, name, child)
		check_descriptions(d, schema, child);
	json_array_foreach (node, i, child)
		check_descriptions(d, schema, child);
}

static void collect_references(json_t *node, json_t *used)
{
	const char *name;
	json_t *child;
	size_t i;

	if (json_object_get(node, "$ref") != NULL)
		json_object_set_new(used, json_string_value(json_object_get(node, "$ref")) ?: "", json_true());
	json_object_foreach (node, name, child)
		collect_references(child, used);
	json_array_foreach (node, i, child)
		collect_references(child, used);
}

/* Nothing in the document refers to the schema Problem: it is for answers to requests that are not an operation. */
static void check_used(struct document *d)
{
	AUTO(json_decrefp) json_t *used = json_pack("{s:b}", "#/components/schemas/Problem", 1);
	json_t *components, *unused;
	const char *kind, *name;

	collect_references(d->root, used);
	json_object_foreach (json_object_get(d->root, "components"), kind, components) {
		json_object_foreach (components, name, unused) {
			AUTO(mem_free) char *ref = mem_printf("#/components/%s/%s", kind, name);
			if (json_object_get(used, ref) == NULL)
				document_fault(d, "'%s' is used by nothing", ref);
		}
	}
}

void document_check(struct document *d)
{
	json_t *schemas = json_object_get(json_object_get(d->root, "components"), "schemas"), *schema;
	const char *name;

	check_references(d, d->root);
	check_used(d);
	json_object_foreach (schemas, name, schema)
		check_descriptions(d, name, schema);
}
