/*
 * The description of the API while it is put together: one JSON document, and the list of its faults. A fault does not end the
 * work, so that all faults are reported together.
 */
#ifndef OPENAPI_DOCUMENT_H
#define OPENAPI_DOCUMENT_H

#include <jansson.h>

#include "base/defs.h"
#include "base/err.h"

struct document {
	json_t *root;   /* owned: the document */
	json_t *faults; /* owned: an array of strings */
};

void document_init(struct document *d);
void document_clear(struct document *d); /* destructor for AUTO */

/*
 * Adds the contents of a file: its objects are merged into those of the document, its arrays are appended. -1: the file cannot
 * be read or is not a JSON object.
 */
int document_add(struct document *d, const char *path, struct err *err);

/* Adds a fault to the list. */
void document_fault(struct document *d, const char *text, ...) PRINTF_LIKE(2, 3);

/* The member of this name, which is an object; an empty one is made if there is none. Borrowed. */
json_t *document_member(json_t *object, const char *name);

/* The object components/<kind>/<name>; an empty one is made if there is none. Borrowed. */
json_t *document_component(struct document *d, const char *kind, const char *name);

/* An object with a "$ref" to that component. A new reference. */
json_t *document_ref(const char *kind, const char *name);

/* The target of a node's "$ref", or the node itself if it has none. NULL: the target does not exist. Borrowed. */
json_t *document_target(const struct document *d, json_t *node);

/* Reports "$ref"s whose target does not exist, components that nothing refers to, and properties without a description. */
void document_check(struct document *d);

#endif
