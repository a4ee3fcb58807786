#include "output/loaded.h"

#include <string.h>

void loaded_free(struct loaded *l)
{
	for (int i = 0; i < PRINTED_STREAMS; i++)
		buf_free(&l->texts[i]);
	l->lost = 0;
}

void loaded_add(struct loaded *l, enum printed_stream stream, const char *text, size_t len)
{
	size_t kept = MIN(len, LOADED_MAX - l->texts[stream].len);

	buf_add(&l->texts[stream], text, kept);
	l->lost += len - kept;
}

void loaded_give(struct loaded *l, struct printed *p)
{
	for (enum printed_stream i = 0; i < PRINTED_STREAMS; i++) {
		size_t len = l->texts[i].len;
		if (len == 0)
			continue;
		memcpy(printed_reserve(p, i, len), l->texts[i].data, len);
		printed_take(p, i, len, 0);
		if (len == LOADED_MAX)
			printed_cut(p, i);
	}
	printed_lose(p, l->lost);
	loaded_free(l);
}
