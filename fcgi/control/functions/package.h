/* Packages: a function's files as a tar archive, addressed by its SHA-256. The same code always makes the same bytes. */
#ifndef CONTROL_FUNCTIONS_PACKAGE_H
#define CONTROL_FUNCTIONS_PACKAGE_H

#include <stddef.h>

#include "base/err.h"

struct package {
	void *archive; /* owned; allocated with malloc */
	size_t len;
	char sha256[65]; /* lower-case hex */
};

/* A package of one file, from code given inline. */
int package_build(const char *file_name, const char *code, size_t len, struct package *package, struct err *err);

void package_free(struct package *package); /* destructor for AUTO */

#endif
