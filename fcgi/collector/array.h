/* A PostgreSQL array as text, for a statement's parameter; its elements must not need quotes. */
#ifndef COLLECTOR_ARRAY_H
#define COLLECTOR_ARRAY_H

#include "base/buf.h"
#include "db/db.h"

/* Adds an element, of less than SPOOL_NAME_SIZE bytes, to an array that begins as an empty buffer. */
void array_add(struct buf *array, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Ends the array. The parameter points into it. */
struct db_param array_param(struct buf *array);

#endif
