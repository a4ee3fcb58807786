#include "status/table.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define GAP 2

void table_add(struct table *t, const char *fmt, ...)
{
	char text[600];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	t->cells = mem_realloc(t->cells, (t->count + 1) * sizeof(*t->cells));
	t->cells[t->count++] = mem_strdup(text);
}

/* Counts characters instead of bytes: continuation bytes are skipped. */
static int width(const char *text)
{
	int n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static int column_width(const struct table *t, size_t column)
{
	int most = 0;

	for (size_t i = column; i < t->count; i += t->columns)
		most = MAX(most, width(t->cells[i]));
	return most;
}

void table_print(const struct table *t, FILE *out)
{
	AUTO(mem_free) int *widths = mem_alloc(t->columns * sizeof(*widths));

	for (size_t c = 0; c < t->columns; c++)
		widths[c] = column_width(t, c);
	for (size_t i = 0; i < t->count; i++) {
		size_t c = i % t->columns;
		int pad = widths[c] - width(t->cells[i]);
		if (c == 0)
			fprintf(out, "%s%*s", t->cells[i], pad, "");
		else
			fprintf(out, "%*s%s", GAP + pad, "", t->cells[i]);
		if (c == t->columns - 1)
			fputc('\n', out);
	}
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct table){0};
}
