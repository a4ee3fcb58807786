/* Operations: the document's paths are the routes of the services, no more and no fewer, and say which problems each answers.
 */
#ifndef OPENAPI_OPERATIONS_H
#define OPENAPI_OPERATIONS_H

#include <stddef.h>

#include "http/route.h"
#include "openapi/document.h"

struct operations_table {
	const struct route *routes;
	size_t count;
};

/*
 * Compares paths, query parameters and bodies with the routes, and completes each operation: the responses for its problems,
 * X-Request-Id in all. Takes the members x-problems and x-problem-headers out. problem_schemas_add comes first.
 */
void operations_add(struct document *d, const struct operations_table *tables, size_t count);

#endif
