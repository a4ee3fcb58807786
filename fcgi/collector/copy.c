#include "collector/copy.h"

#include <string.h>

#define EPOCH_2000_US 946684800000000ull /* where PostgreSQL's time starts */

static void add_u16(struct buf *b, uint16_t v)
{
	buf_add_u8(b, (uint8_t)(v >> 8));
	buf_add_u8(b, (uint8_t)v);
}

void copy_begin(struct buf *b)
{
	static const char signature[11] = "PGCOPY\n\377\r\n"; /* the final NUL belongs to it */

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

void copy_bytea(struct buf *b, struct str v)
{
	add_value(b, v.data, v.len);
}

/* Length of the well-formed UTF-8 sequence at p, 0 when there is none (RFC 3629; NUL counts as none). */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
	/* The second byte's range depends on the first: no overlong forms, no surrogates, nothing above U+10FFFF. */
	static const struct {
		unsigned char first, last, low, high;
		size_t len;
	} forms[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (p[0] < 0x80)
		return p[0] != 0;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (p[0] < forms[i].first || p[0] > forms[i].last)
			continue;
		if (left < forms[i].len || p[1] < forms[i].low || p[1] > forms[i].high)
			return 0;
		for (size_t k = 2; k < forms[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

void copy_text(struct buf *b, struct str v)
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	const unsigned char *p = (const unsigned char *)v.data;
	size_t length_at = b->len, good = 0; /* good: bytes before i that are not yet copied begin here */

	buf_add_u32(b, 0); /* known at the end */
	for (size_t i = 0; i < v.len;) {
		size_t n = utf8_sequence(p + i, v.len - i);
		if (n == 0) {
			buf_add(b, p + good, i - good);
			buf_add(b, replacement, sizeof(replacement) - 1);
			good = i + 1;
		}
		i += n ? n : 1;
	}
	buf_add(b, p + good, v.len - good);
	buf_put_u32(b->data + length_at, (uint32_t)(b->len - length_at - 4));
}

void copy_text_or_null(struct buf *b, struct str v)
{
	if (v.len == 0)
		add_null(b);
	else
		copy_text(b, v);
}
