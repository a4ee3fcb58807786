#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

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
		snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s", strerror(code));
	return -1;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char text[sizeof(err->msg)];
	va_list ap;

	if (err == NULL)
		return -1;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	size_t len = strlen(text), rest = strlen(err->msg);
	if (len + 2 < sizeof(text)) {
		memcpy(text + len, ": ", 2);
		len += 2;
		rest = MIN(rest, sizeof(text) - len - 1);
		memcpy(text + len, err->msg, rest);
		text[len + rest] = '\0';
	}
	memcpy(err->msg, text, sizeof(text));
	return -1;
}
