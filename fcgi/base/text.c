#include "base/text.h"

#include <string.h>

#include "base/defs.h"

#define DECIMAL_MAX 20 /* digits of the largest number of 64 bits */

void text_add(struct text *t, const char *data, size_t len)
{
	size_t fits = MIN(len, t->size - 1 - t->len);

	if (fits > 0)
		memcpy(t->data + t->len, data, fits);
	t->len += fits;
	t->data[t->len] = '\0';
}

void text_add_str(struct text *t, const char *from)
{
	text_add(t, from, strlen(from));
}

void text_add_decimal(struct text *t, uint64_t value, unsigned digits)
{
	char reversed[DECIMAL_MAX], number[DECIMAL_MAX];
	unsigned count = 0;

	while (value > 0 || count < MAX(MIN(digits, DECIMAL_MAX), 1)) {
		reversed[count++] = (char)('0' + value % 10);
		value /= 10;
	}
	for (unsigned i = 0; i < count; i++)
		number[i] = reversed[count - 1 - i];
	text_add(t, number, count);
}

void text_add_hex(struct text *t, const unsigned char *bytes, size_t len)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++)
		text_add(t, (const char[]){hex[bytes[i] >> 4], hex[bytes[i] & 15]}, 2);
}

void text_copy(char *to, size_t size, const char *from, size_t len)
{
	struct text t = {to, size, 0};

	text_add(&t, from, len);
}
