/* Text in columns as wide as what is in them: the first one to the left, the others to the right. */
#ifndef STATUS_TABLE_H
#define STATUS_TABLE_H

#include <stdio.h>

#include "base/defs.h"

struct table {
	size_t columns; /* set by whoever makes it */
	char **cells;   /* owned, row after row */
	size_t count;
};

/* Adds the next cell. What is no printable character becomes '?': some of it comes from outside. */
void table_add(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The last row must be complete. */
void table_print(const struct table *t, FILE *out);
void table_free(struct table *t); /* destructor for AUTO */

#endif
