/*
 * A pack is a new package: a function's files as a tar archive, identified by its SHA-256. The same code always gives the same
 * bytes.
 */
#ifndef CONTROL_FUNCTIONS_PACK_H
#define CONTROL_FUNCTIONS_PACK_H

#include <stddef.h>

#include "base/err.h"

struct pack {
	void *archive; /* owned; allocated with malloc */
	size_t len;
	char sha256[65]; /* lower-case hex */
};

/*
 * The file that a handler is looked for in, for inline code: "index.handler" is in "index.py" if the language's source_file is
 * "main.py". The caller frees it.
 */
char *pack_file_name_new(const char *handler, const char *source_file);

/* Makes a package of one file from inline code. */
int pack_build(const char *file_name, const char *code, size_t len, struct pack *package, struct err *err);

void pack_free(struct pack *package); /* destructor for AUTO */

#endif
