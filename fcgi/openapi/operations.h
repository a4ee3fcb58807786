/*
 * The operations of the document, which are its paths with their methods: exactly one for each route of the services, with the
 * problems that it may answer.
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
 * Compares paths, query parameters and bodies with the routes. Adds the responses with problems to each operation, and the
 * header X-Request-Id to each response. Removes the members x-problems and x-problem-headers, from which the responses are
 * made. To be called after problem_schemas_add.
 */
void operations_add(struct document *d, const struct operations_table *tables, size_t count);

#endif
