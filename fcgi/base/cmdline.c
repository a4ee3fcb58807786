#include "base/cmdline.h"

#include <string.h>

const char *cmdline_option(const char *line, size_t len, const char *name)
{
	const char *end = line + len;

	for (const char *word = line; word < end; word += strlen(word) + 1) {
		const char *next = word + strlen(word) + 1;
		if (strcmp(word, name) == 0 && next < end)
			return next;
	}
	return NULL;
}
