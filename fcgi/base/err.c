#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t err_end_whole(char *text, size_t len)
{
	size_t lead = len;

	/*
	 * A UTF-8 character has at most three bytes 10xxxxxx after its first byte; with more than three the text is not UTF-8.
	 */
	while (lead > 0 && len - lead < 3 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
		lead--;
	if (lead > 0) {
		unsigned char first = (unsigned char)text[lead - 1];
		size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
		if (lead - 1 + size > len)
			len = lead - 1;
	}
	text[len] = '\0';
	return len;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return -1;

	va_start(ap, fmt);
	int n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);

	err->code = code;
	if (code != 0 && n >= 0 && (size_t)n < sizeof(err->msg))
		n += snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s", strerror(code));
	if (n >= (int)sizeof(err->msg))
		err_end_whole(err->msg, sizeof(err->msg) - 1);
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char text[sizeof(err->msg)];
	va_list ap;

	if (err == NULL)
		return -1;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(text))
		n += snprintf(text + n, sizeof(text) - (size_t)n, ": %s", err->msg);
	if (n >= (int)sizeof(text))
		err_end_whole(text, sizeof(text) - 1);
	memcpy(err->msg, text, sizeof(text));
	return -1;
}
