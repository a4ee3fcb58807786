/* Arrays as parameters, for unnest(): as text, with one call per element. */
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
void db_array_add(struct db_array *array, const struct db_param *element); /* no bytes in binary form */

/* Borrows from array, which is complete. */
struct db_param db_array_param(struct db_array *array);

#endif
