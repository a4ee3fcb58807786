/* Allocation that cannot fail: when memory runs out, that is logged and the process exits; its parent starts a new one. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

#include "base/defs.h"

void *mem_alloc(size_t size_bytes); /* zeroed */
void *mem_realloc(void *old, size_t size_bytes);
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len);
char *mem_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Destructor for AUTO: AUTO(mem_free) char *path = mem_printf(...); */
void mem_free(void *pointer_to_pointer);

#endif
