#include "http/discreet.h"

#include <string.h>

#include "base/buf.h"
#include "http/json_text.h"

#define LEFT_OUT "…"

static bool in_path(char c)
{
	return c != '\0' && strchr(" '\"`:,;()<>\n\t", c) == NULL;
}

/* Whether an absolute path begins here, which must be at the beginning of a word: "scripts/gvisor" and "and/or" are none. */
static bool begins_path(const char *text, size_t len, size_t at)
{
	return text[at] == '/' && (at == 0 || !in_path(text[at - 1]) || text[at - 1] == '=') && at + 1 < len &&
	       in_path(text[at + 1]);
}

static bool leave_out(const char *text, size_t len, struct buf *out)
{
	bool any = false;

	for (size_t i = 0; i < len;) {
		if (!begins_path(text, len, i)) {
			buf_add(out, &text[i++], 1);
			continue;
		}
		any = true;
		buf_add_str(out, LEFT_OUT);
		while (i < len && in_path(text[i]))
			i++;
	}
	return any;
}

bool discreet_text(const char *text, size_t len, char *to, size_t size)
{
	AUTO(buf_free) struct buf out = {0};
	bool any = leave_out(text, len, &out);

	len = json_text_cut(buf_str(&out), out.len, size - 1);
	memcpy(to, buf_str(&out), len);
	to[len] = '\0';
	return any;
}

void discreet_json(json_t *json)
{
	AUTO(buf_free) struct buf out = {0};
	const char *key;
	json_t *value;
	size_t i;

	json_object_foreach (json, key, value)
		discreet_json(value);
	json_array_foreach (json, i, value)
		discreet_json(value);
	if (json_is_string(json) && leave_out(json_string_value(json), json_string_length(json), &out))
		json_string_setn(json, buf_str(&out), out.len);
}
