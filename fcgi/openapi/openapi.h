/* The whole description: from what is written by hand to what is served. */
#ifndef OPENAPI_OPENAPI_H
#define OPENAPI_OPENAPI_H

#include "openapi/document.h"
#include "openapi/operations.h"

/* The routes of each service that answers HTTP: control, invoke, follow. */
enum { OPENAPI_SERVICES = 3 };
void openapi_routes(struct operations_table tables[OPENAPI_SERVICES]);

/* Adds what the tables say, and tells in d->faults where they and the files do not agree. */
void openapi_complete(struct document *d, const struct operations_table *tables, size_t count);

#endif
