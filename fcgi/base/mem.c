#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *must(void *p)
{
	static const char text[] = "level=fatal msg=\"out of memory\"\n";

	if (p == NULL) {
		(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
		_exit(70); /* EX_SOFTWARE */
	}
	return p;
}

void *mem_alloc(size_t size_bytes)
{
	return must(calloc(1, size_bytes ? size_bytes : 1));
}

void *mem_realloc(void *old, size_t size_bytes)
{
	return must(realloc(old, size_bytes ? size_bytes : 1));
}

char *mem_strdup(const char *text)
{
	return must(strdup(text));
}

char *mem_strndup(const char *text, size_t len)
{
	return must(strndup(text, len));
}

char *mem_printf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return must(text);
}

void mem_free(void *pointer_to_pointer)
{
	void **p = pointer_to_pointer;

	free(*p);
	*p = NULL;
}
