/*
 * struct buf: a growing byte string. Zero-initialise it; free it with buf_free (AUTO(buf_free) struct buf b = {0};). Once
 * anything was appended, data has a NUL at position len, so that text can be used as a C string.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/defs.h"

struct buf {
	char *data; /* owned; NULL while nothing was ever appended */
	size_t len; /* always < cap when data is set */
	size_t cap;
};

void buf_free(struct buf *b);
void buf_reset(struct buf *b); /* keeps the memory */

/* Makes room for extra more bytes and returns where they begin; the caller adds the number of bytes it wrote to len. */
char *buf_reserve(struct buf *b, size_t extra);

void buf_add(struct buf *b, const void *data, size_t len);
void buf_add_str(struct buf *b, const char *text);
void buf_add_u8(struct buf *b, uint8_t v);
void buf_add_u32(struct buf *b, uint32_t v); /* big-endian */
void buf_add_u64(struct buf *b, uint64_t v); /* big-endian */
void buf_add_decimal(struct buf *b, uint64_t value);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);

/* The text so far; "" when nothing was appended yet, never NULL. */
const char *buf_str(const struct buf *b);

/* Read big-endian words; the caller has checked the length. */
void buf_put_u32(void *p, uint32_t v);
void buf_put_u64(void *p, uint64_t v);
uint32_t buf_get_u32(const void *p);
uint64_t buf_get_u64(const void *p);

#endif
