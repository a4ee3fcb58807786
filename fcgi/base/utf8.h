/* Text from outside, which may be no text. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

#include "base/buf.h"

/* Appends text as well-formed UTF-8 (RFC 3629): each byte that is none, and NUL, turns into U+FFFD. */
void utf8_repair(struct buf *out, const char *text, size_t len);

#endif
