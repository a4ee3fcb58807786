/* Arrays as parameters of statements, for unnest(), in PostgreSQL's text form. */
#ifndef DB_DB_ARRAY_H
#define DB_DB_ARRAY_H

#include <stdint.h>

#include "base/buf.h"
#include "db/db_statement.h"

/* Zero-initialise it. */
struct db_array {
	struct buf text;
};

void db_array_free(struct db_array *array);                                /* destructor for AUTO */
void db_array_add(struct db_array *array, const struct db_param *element); /* appends; the element is not in binary form */

/* Makes the parameter when all elements were added. It borrows from array. */
struct db_param db_array_param(struct db_array *array);

#endif
