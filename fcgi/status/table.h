/* Text in columns as wide as their content: the first is aligned to the left, the others to the right. */
#ifndef STATUS_TABLE_H
#define STATUS_TABLE_H

#include <stdio.h>

#include "base/defs.h"

struct table {
	size_t columns; /* set by the caller */
	char **cells;   /* owned, row after row */
	size_t count;
};

/* Adds the next cell. Characters that are not printable are replaced by '?', because some text comes from outside. */
void table_add(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The last row must be complete. */
void table_print(const struct table *t, FILE *out);
void table_free(struct table *t); /* destructor for AUTO */

#endif
