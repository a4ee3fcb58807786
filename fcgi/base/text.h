/*
 * Text of a bounded size, put together piece by piece. It does what snprintf does, for the path that every invocation takes:
 * twenty calls of snprintf would be a fifth of the time that a worker spends in its own code.
 *
 * The memory is the caller's. The text always ends with a NUL; what does not fit is left out.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct text {
	char *data;
	size_t size; /* of the memory, with the NUL: at least 1 */
	size_t len;
};

/* An empty text in an array of char. */
#define TEXT(array) ((struct text){(array), sizeof(array), 0})

void text_add(struct text *t, const char *data, size_t len);
void text_add_str(struct text *t, const char *from);

/* With leading zeros if it has fewer than digits. */
void text_add_decimal(struct text *t, uint64_t value, unsigned digits);

/* Each byte as two hexadecimal digits in lower case. */
void text_add_hex(struct text *t, const unsigned char *bytes, size_t len);

/* Makes the array of size bytes at to hold the first len bytes of from, or as many of them as fit, and a NUL. */
void text_copy(char *to, size_t size, const char *from, size_t len);

#endif
