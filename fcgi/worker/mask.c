#include "worker/mask.h"

#include <string.h>

/* How many bytes of the secret there are at the front of text; 0: it is not there. */
static size_t match(const char *secret, size_t secret_len, const char *text, size_t len, bool cut)
{
	size_t n = MIN(secret_len, len);

	return (n == secret_len || cut) && memcmp(text, secret, n) == 0 ? n : 0;
}

/* The longest one that is there: another one may be its beginning. */
static size_t match_any(const struct mask *mask, const char *text, size_t len, bool cut)
{
	const char *end = mask->secrets + mask->len;
	size_t longest = 0, secret_len;

	for (const char *s = mask->secrets; s < end; s += secret_len + 1) {
		secret_len = strlen(s);
		longest = MAX(longest, match(s, secret_len, text, len, cut));
	}
	return longest;
}

size_t mask_find(const struct mask *mask, const char *text, size_t len, size_t from, bool cut, size_t *taken)
{
	bool begins[256] = {false};

	for (const char *s = mask->secrets; s < mask->secrets + mask->len; s += strlen(s) + 1)
		begins[(unsigned char)*s] = true;
	for (size_t i = from; i < len; i++) {
		if (!begins[(unsigned char)text[i]])
			continue;
		*taken = match_any(mask, text + i, len - i, cut);
		if (*taken > 0)
			return i;
	}
	return len;
}

void mask_add(const struct mask *mask, const char *text, size_t len, bool cut, struct buf *out)
{
	size_t at = 0, found, taken;

	while ((found = mask_find(mask, text, len, at, cut, &taken)) < len) {
		buf_add(out, text + at, found - at);
		buf_add_str(out, MASK);
		at = found + taken;
	}
	buf_add(out, text + at, len - at);
}
