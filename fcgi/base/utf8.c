#include "base/utf8.h"

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

void utf8_repair(struct buf *out, const char *text, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	const unsigned char *p = (const unsigned char *)text;
	size_t good = 0; /* start of the bytes before i that are not copied yet */

	for (size_t i = 0; i < len;) {
		size_t n = utf8_sequence(p + i, len - i);
		if (n == 0) {
			buf_add(out, p + good, i - good);
			buf_add(out, replacement, sizeof(replacement) - 1);
			good = i + 1;
		}
		i += n ? n : 1;
	}
	buf_add(out, p + good, len - good);
}
