/* The whole description of the API: completes the document that the hand-written files make. */
#ifndef OPENAPI_OPENAPI_H
#define OPENAPI_OPENAPI_H

#include "openapi/document.h"
#include "openapi/operations.h"

/* The routes of each service that answers HTTP: control, invoke, follow. */
enum { OPENAPI_SERVICES = 3 };
void openapi_routes(struct operations_table tables[OPENAPI_SERVICES]);

/* Adds the contents of the tables of the code to the document, and reports in d->faults where the two do not agree. */
void openapi_complete(struct document *d, const struct operations_table *tables, size_t count);

#endif
