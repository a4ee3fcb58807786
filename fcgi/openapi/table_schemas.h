/* Schemas whose properties or values are the rows of a table of the code, which has their names and types. */
#ifndef OPENAPI_TABLE_SCHEMAS_H
#define OPENAPI_TABLE_SCHEMAS_H

#include "openapi/document.h"

/*
 * Compares the schemas that are described by hand with their tables, completes those whose names come from a table, and adds
 * those that need no description by hand.
 */
void table_schemas_add(struct document *d);

#endif
