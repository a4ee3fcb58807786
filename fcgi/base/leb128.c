#include "base/leb128.h"

void leb128_add(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_add_u8(out, (uint8_t)(value | 0x80));
	buf_add_u8(out, (uint8_t)value);
}
