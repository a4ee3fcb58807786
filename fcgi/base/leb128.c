#include "base/leb128.h"

#define BYTES_MAX 10 /* of 64 bits */

void leb128_add(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_add_u8(out, (uint8_t)(value | 0x80));
	buf_add_u8(out, (uint8_t)value);
}

size_t leb128_get(const void *data, size_t len, uint64_t *value)
{
	const unsigned char *bytes = data;

	*value = 0;
	for (size_t i = 0; i < MIN(len, (size_t)BYTES_MAX); i++) {
		*value |= (uint64_t)(bytes[i] & 0x7f) << 7 * i;
		if (bytes[i] < 0x80)
			return i + 1;
	}
	return 0;
}
