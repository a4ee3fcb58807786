/*
 * The description of the API while it is put together: one JSON document, and what is wrong with it. Nothing fails at once: all
 * faults are told together.
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

/* Adds what a file says: its objects are merged into those there are, its arrays appended. -1: it cannot be read. */
int document_add(struct document *d, const char *path, struct err *err);

void document_fault(struct document *d, const char *text, ...) PRINTF_LIKE(2, 3);

/* The member of an object that is an object itself; made when it is not there. Borrowed. */
json_t *document_member(json_t *object, const char *name);

/* components/kind/name, made when it is not there; and a reference to it, which is new. */
json_t *document_component(struct document *d, const char *kind, const char *name);
json_t *document_ref(const char *kind, const char *name);

/* What a node refers to, or the node itself. NULL: nothing. Borrowed. */
json_t *document_target(const struct document *d, json_t *node);

/* Faults: references to nothing, components that nothing refers to, and properties of schemas without a description. */
void document_check(struct document *d);

#endif
