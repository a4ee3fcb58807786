/* LEB128: unsigned numbers in as few bytes as they need, seven bits in each byte, the lowest first. */
#ifndef BASE_LEB128_H
#define BASE_LEB128_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

#define LEB128_MAX 10 /* bytes of 64 bits */

void leb128_add(struct buf *out, uint64_t value);

/*
 * Returns how many bytes were read; 0 when they do not hold a number of 64 bits. Inline because one answer may read millions.
 */
static inline size_t leb128_get(const void *data, size_t len, uint64_t *value)
{
	const unsigned char *bytes = data;

	*value = 0;
	for (size_t i = 0; i < MIN(len, (size_t)LEB128_MAX); i++) {
		*value |= (uint64_t)(bytes[i] & 0x7f) << 7 * i;
		if (bytes[i] < 0x80)
			return i + 1;
	}
	return 0;
}

#endif
