/* Secrets in what a function says: in what it printed, and in its errors. */
#ifndef WORKER_MASK_H
#define WORKER_MASK_H

#include <stdbool.h>

#include "base/buf.h"

#define MASK "***"

/* One after the other, each with a NUL behind it. */
struct mask {
	const char *secrets;
	size_t len;
};

/*
 * Where the next secret begins at or after from; len when there is none. *taken: how many bytes of it are there, which is all
 * of it but where the text was cut off in the middle of one: cut says that there was more.
 */
size_t mask_find(const struct mask *mask, const char *text, size_t len, size_t from, bool cut, size_t *taken);

/* Appends the text to out, MASK in place of each secret; cut: as above. */
void mask_add(const struct mask *mask, const char *text, size_t len, bool cut, struct buf *out);

#endif
