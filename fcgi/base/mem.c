#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"

/* Logging needs no memory. */
static void *must(void *p, size_t size_bytes)
{
	struct rlimit limit;

	if (p != NULL)
		return p;
	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		log_error("out of memory: %zu bytes more are beyond the limit of this process, which is %llu MB; it ends",
			  size_bytes, (unsigned long long)limit.rlim_cur >> 20);
	else
		log_error("out of memory: %zu bytes more are not to be had; this process ends", size_bytes);
	_exit(70); /* EX_SOFTWARE */
}

void *mem_alloc(size_t size_bytes)
{
	return must(calloc(1, size_bytes ? size_bytes : 1), size_bytes);
}

void *mem_realloc(void *old, size_t size_bytes)
{
	return must(realloc(old, size_bytes ? size_bytes : 1), size_bytes);
}

char *mem_strdup(const char *text)
{
	return must(strdup(text), strlen(text) + 1);
}

char *mem_strndup(const char *text, size_t len)
{
	return must(strndup(text, len), len + 1);
}

char *mem_printf(const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	return must(text, 0);
}

void mem_free(void *pointer_to_pointer)
{
	void **p = pointer_to_pointer;

	free(*p);
	*p = NULL;
}
