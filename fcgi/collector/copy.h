/*
 * Rows in the binary form of PostgreSQL's COPY: copy_begin, then per row copy_row and one call per column, then copy_end. Text
 * is converted to valid UTF-8: invalid bytes, and NUL, which PostgreSQL cannot store, are replaced by U+FFFD.
 */
#ifndef COLLECTOR_COPY_H
#define COLLECTOR_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/fields.h"
#include "base/uuid.h"

#define COPY_NULL UINT64_MAX

void copy_begin(struct buf *b);
void copy_end(struct buf *b);
void copy_row(struct buf *b, int columns);

void copy_uuid(struct buf *b, struct uuid v);
void copy_bool(struct buf *b, bool v);
void copy_int4(struct buf *b, uint32_t v); /* a value that is too large becomes negative, so that a constraint refuses it */
void copy_int8(struct buf *b, uint64_t v);
void copy_ms(struct buf *b, uint64_t us);          /* double precision, milliseconds */
void copy_int8_or_null(struct buf *b, uint64_t v); /* COPY_NULL is NULL */
void copy_ms_or_null(struct buf *b, uint64_t us);
void copy_time(struct buf *b, uint64_t us); /* timestamptz; us since 1970 */
void copy_time_or_null(struct buf *b, uint64_t us);
void copy_bytea(struct buf *b, struct str v);
void copy_text(struct buf *b, struct str v);
void copy_text_or_null(struct buf *b, struct str v); /* "" is NULL */

#endif
