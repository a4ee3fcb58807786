/* Problems: a schema and a response for each code of ipc/problem.def, and what a status answers. */
#ifndef OPENAPI_PROBLEM_SCHEMAS_H
#define OPENAPI_PROBLEM_SCHEMAS_H

#include <stddef.h>

#include "openapi/document.h"

/* Codes: those of berthd, and those that only nginx answers. */
extern const size_t problem_schemas_count;

/* Adds the schemas: of each code, of any problem, and of the codes that berthd has. */
void problem_schemas_add(struct document *d);

/* problem_schemas_count when there is no such code. */
size_t problem_schemas_find(const char *code);
const char *problem_schemas_code(size_t i);
int problem_schemas_status(size_t i);

/*
 * The response of a status that has these codes, at least one of them; a new reference. headers: what it has besides, or NULL.
 * Without them that of a single code is a component, and this a reference to it.
 */
json_t *problem_schemas_response(struct document *d, const size_t *codes, size_t count, json_t *headers);

/* The schema of such a body alone. */
json_t *problem_schemas_body(const size_t *codes, size_t count);

#endif
