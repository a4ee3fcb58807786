/* Unsigned numbers in as few bytes as they need: seven bits each, the lowest first (LEB128). */
#ifndef BASE_LEB128_H
#define BASE_LEB128_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

void leb128_add(struct buf *out, uint64_t value);

/* Returns how many bytes it took; 0: they do not hold a number of 64 bits. */
size_t leb128_get(const void *data, size_t len, uint64_t *value);

#endif
