/* Schemas whose properties or values are rows of a table of the code: their names and types come from there. */
#ifndef OPENAPI_TABLE_SCHEMAS_H
#define OPENAPI_TABLE_SCHEMAS_H

#include "openapi/document.h"

/* Completes the schemas that are described by hand, and adds those that need no words. */
void table_schemas_add(struct document *d);

#endif
