#include "run/last_words.h"

#include <string.h>

#include "base/defs.h"

/* Lines that begin and end like this. A function that prints one and then ends by a signal gets what it asks for. */
static const struct {
	const char *beginning, *end;
} words[] = {
	{"FATAL ERROR: ", " out of memory"},        /* Node.js: "FATAL ERROR: Reached heap limit Allocation failed - …" */
	{"# Fatal JavaScript out of memory: ", ""}, /* V8 itself, where Node.js is not asked */
	{"# Fatal process out of memory: ", ""},
};

static bool is_like(const char *line, size_t len, const char *beginning, const char *end)
{
	size_t first = strlen(beginning), last = strlen(end);

	return len >= first + last && memcmp(line, beginning, first) == 0 && memcmp(line + len - last, end, last) == 0;
}

bool last_words_out_of_memory(struct str printed)
{
	const char *line = printed.data, *stop = printed.data + printed.len;

	while (line < stop) {
		const char *newline = memchr(line, '\n', (size_t)(stop - line));
		size_t len = (size_t)((newline != NULL ? newline : stop) - line);
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			if (is_like(line, len, words[i].beginning, words[i].end))
				return true;
		line += len + 1;
	}
	return false;
}
