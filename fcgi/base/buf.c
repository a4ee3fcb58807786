#include "base/buf.h"

#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"

void buf_free(struct buf *b)
{
	mem_free(&b->data);
	b->len = b->cap = 0;
}

void buf_reset(struct buf *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

char *buf_reserve(struct buf *b, size_t extra)
{
	size_t need = b->len + extra + 1;

	if (need > b->cap) {
		size_t cap = b->cap ? b->cap : 256;
		while (cap < need)
			cap *= 2;
		b->data = mem_realloc(b->data, cap);
		b->cap = cap;
	}
	return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t len)
{
	char *to = buf_reserve(b, len);

	if (len > 0)
		memcpy(to, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_add_str(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_add_u8(struct buf *b, uint8_t v)
{
	buf_add(b, &v, 1);
}

void buf_add_u32(struct buf *b, uint32_t v)
{
	uint32_t be = htobe32(v);
	buf_add(b, &be, sizeof(be));
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	uint64_t be = htobe64(v);
	buf_add(b, &be, sizeof(be));
}

void buf_add_decimal(struct buf *b, uint64_t value)
{
	char digits[24];
	struct text number = TEXT(digits);

	text_add_decimal(&number, value, 1);
	buf_add(b, digits, number.len);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	char stack[512];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(stack, sizeof(stack), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n < sizeof(stack)) {
		buf_add(b, stack, (size_t)n);
		return;
	}

	char *to = buf_reserve(b, (size_t)n);
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void buf_consume(struct buf *b, size_t n)
{
	if (n >= b->len) {
		buf_reset(b);
		return;
	}
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
	b->data[b->len] = '\0';
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

void buf_put_u32(void *p, uint32_t v)
{
	uint32_t be = htobe32(v);
	memcpy(p, &be, sizeof(be));
}

void buf_put_u64(void *p, uint64_t v)
{
	uint64_t be = htobe64(v);
	memcpy(p, &be, sizeof(be));
}

uint32_t buf_get_u32(const void *p)
{
	uint32_t be;

	memcpy(&be, p, sizeof(be));
	return be32toh(be);
}

uint64_t buf_get_u64(const void *p)
{
	uint64_t be;

	memcpy(&be, p, sizeof(be));
	return be64toh(be);
}
