#include "collector/array.h"

#include <stdarg.h>
#include <stdio.h>

#include "collector/spool_reader.h"

void array_add(struct buf *array, const char *fmt, ...)
{
	char element[SPOOL_NAME_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(element, sizeof(element), fmt, ap);
	va_end(ap);
	buf_add_u8(array, array->len == 0 ? '{' : ',');
	buf_add_str(array, element);
}

struct db_param array_param(struct buf *array)
{
	buf_add_str(array, array->len == 0 ? "{}" : "}");
	return db_text(buf_str(array));
}
