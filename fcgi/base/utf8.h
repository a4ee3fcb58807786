/* Conversion of bytes from outside, which may not be UTF-8. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

#include "base/buf.h"

/* Appends text as well-formed UTF-8 (RFC 3629): invalid bytes and NUL are replaced by U+FFFD. */
void utf8_repair(struct buf *out, const char *text, size_t len);

#endif
