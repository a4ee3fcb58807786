#include "http/json_text.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

json_t *json_text(const char *text)
{
	return json_textn(text, strlen(text));
}

json_t *json_textn(const char *text, size_t len)
{
	json_t *json = json_stringn(text, len);

	if (json != NULL)
		return json;

	AUTO(mem_free) char *ascii = mem_alloc(len + 1);
	for (size_t i = 0; i < len; i++)
		ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
	return json_stringn(ascii, len);
}

json_t *json_time(int64_t wall_us)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format_utc(wall_us, text);
	return json_string(text);
}

size_t json_text_cut(const char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
		max--;
	return max;
}
