/* Schemas and responses of problems: one for each code of ipc/problem.def, and those of several codes with the same status. */
#ifndef OPENAPI_PROBLEM_SCHEMAS_H
#define OPENAPI_PROBLEM_SCHEMAS_H

#include <stddef.h>

#include "openapi/document.h"

/* The number of codes: those of berthd, and those that only nginx answers. */
extern const size_t problem_schemas_count;

/* Adds a schema for each code, the schema of any problem, and the list of berthd's codes. */
void problem_schemas_add(struct document *d);

/* The index of a code; problem_schemas_count: there is no such code. */
size_t problem_schemas_find(const char *code);
const char *problem_schemas_code(size_t i);
int problem_schemas_status(size_t i);

/*
 * The response of a status with these codes, of which there is at least one. headers: further headers, may be NULL. A new
 * reference. The response of a single code without further headers is a component of the document; the result then refers to
 * it.
 */
json_t *problem_schemas_response(struct document *d, const size_t *codes, size_t count, json_t *headers);

/* The schema of the body of such a response. A new reference. */
json_t *problem_schemas_body(const size_t *codes, size_t count);

#endif
