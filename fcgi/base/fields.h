/*
 * Structs on the wire: a table of fields says how a struct is converted to bytes and back. All messages and records between
 * processes use it, so only one decoder has to be secure. Integers are big-endian; a string is u32 length + bytes.
 */
#ifndef BASE_FIELDS_H
#define BASE_FIELDS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/uuid.h"

/* Borrowed text, not NUL-terminated. */
struct str {
	const char *data;
	uint32_t len;
};
#define STR(text) ((struct str){(text), (uint32_t)strlen(text)})

enum field_type { FIELD_U8, FIELD_U32, FIELD_U64, FIELD_STR, FIELD_UUID };

/* The C type of each field type, for tables that make structs: FIELD_C_U32 → uint32_t. */
#define FIELD_C_U8   uint8_t
#define FIELD_C_U32  uint32_t
#define FIELD_C_U64  uint64_t
#define FIELD_C_STR  struct str
#define FIELD_C_UUID struct uuid

struct field {
	enum field_type type;
	size_t offset;
};

/* Appends the fields of *from. */
void fields_encode(const struct field *fields, size_t count, const void *from, struct buf *out);

/*
 * Reads the fields from exactly len bytes into *to; strings point into data. -1 when there are too few or too many bytes; *to
 * may then be half filled.
 */
int fields_decode(const struct field *fields, size_t count, const void *data, size_t len, void *to);

#endif
