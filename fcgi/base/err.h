/*
 * struct err: why something failed, in words for a person. It lives with the caller; a function that can fail takes it last,
 * returns 0 or -1, leaves *err untouched on success and its outputs untouched on failure. err may be NULL.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

#include "base/defs.h"

struct err {
	int code;      /* an errno value, or 0 when none fits */
	char msg[512]; /* UTF-8, one line, without a final full stop */
};

/*
 * Fills *err and returns -1. With code != 0, ": <strerror>" is appended to the message. A message that is too long is cut off.
 */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "<text>: " in front of the message, to say what was being done when it failed. Returns -1. */
int err_prefix(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * For text that was cut off after len bytes: removes the beginning of an incomplete last UTF-8 character. Returns the new
 * length.
 */
size_t err_end_whole(char *text, size_t len);

#endif
