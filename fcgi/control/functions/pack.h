/* A pack is a package in the making: a function's files as a tar archive, addressed by its SHA-256. The same code always makes
 * the same bytes. */
#ifndef CONTROL_FUNCTIONS_PACK_H
#define CONTROL_FUNCTIONS_PACK_H

#include <stddef.h>

#include "base/err.h"

struct pack {
	void *archive; /* owned; allocated with malloc */
	size_t len;
	char sha256[65]; /* lower-case hex */
};

/* A package of one file, from code given inline. */
int pack_build(const char *file_name, const char *code, size_t len, struct pack *package, struct err *err);

void pack_free(struct pack *package); /* destructor for AUTO */

#endif
