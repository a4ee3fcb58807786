#include "collector/copy.h"

#include <string.h>

#include "base/utf8.h"

#define EPOCH_2000_US 946684800000000ull /* the epoch of PostgreSQL's times */

static void add_u16(struct buf *b, uint16_t v)
{
	buf_add_u8(b, (uint8_t)(v >> 8));
	buf_add_u8(b, (uint8_t)v);
}

void copy_begin(struct buf *b)
{
	static const char signature[11] = "PGCOPY\n\377\r\n"; /* the final NUL is part of the signature */

	buf_add(b, signature, sizeof(signature));
	buf_add_u32(b, 0); /* flags */
	buf_add_u32(b, 0); /* length of the header extension */
}

void copy_end(struct buf *b)
{
	add_u16(b, UINT16_MAX);
}

void copy_row(struct buf *b, int columns)
{
	add_u16(b, (uint16_t)columns);
}

static void add_value(struct buf *b, const void *data, size_t len)
{
	buf_add_u32(b, (uint32_t)len);
	buf_add(b, data, len);
}

void copy_uuid(struct buf *b, struct uuid v)
{
	add_value(b, v.bytes, sizeof(v.bytes));
}

void copy_bool(struct buf *b, bool v)
{
	buf_add_u32(b, 1);
	buf_add_u8(b, v);
}

void copy_int4(struct buf *b, uint32_t v)
{
	buf_add_u32(b, sizeof(v));
	buf_add_u32(b, v);
}

void copy_int8(struct buf *b, uint64_t v)
{
	buf_add_u32(b, sizeof(v));
	buf_add_u64(b, v);
}

void copy_ms(struct buf *b, uint64_t us)
{
	double ms = (double)us / 1000;
	uint64_t bits;

	memcpy(&bits, &ms, sizeof(bits));
	copy_int8(b, bits);
}

static void add_null(struct buf *b)
{
	buf_add_u32(b, UINT32_MAX);
}

void copy_int8_or_null(struct buf *b, uint64_t v)
{
	if (v == COPY_NULL)
		add_null(b);
	else
		copy_int8(b, v);
}

void copy_ms_or_null(struct buf *b, uint64_t us)
{
	if (us == COPY_NULL)
		add_null(b);
	else
		copy_ms(b, us);
}

void copy_time(struct buf *b, uint64_t us)
{
	copy_int8(b, us - EPOCH_2000_US);
}

void copy_time_or_null(struct buf *b, uint64_t us)
{
	if (us == COPY_NULL)
		add_null(b);
	else
		copy_time(b, us);
}

void copy_bytea(struct buf *b, struct str v)
{
	add_value(b, v.data, v.len);
}

void copy_text(struct buf *b, struct str v)
{
	size_t length_at = b->len;

	buf_add_u32(b, 0); /* filled in at the end */
	utf8_repair(b, v.data, v.len);
	buf_put_u32(b->data + length_at, (uint32_t)(b->len - length_at - 4));
}

void copy_text_or_null(struct buf *b, struct str v)
{
	if (v.len == 0)
		add_null(b);
	else
		copy_text(b, v);
}
