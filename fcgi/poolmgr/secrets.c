#include "poolmgr/secrets.h"

#include <stdbool.h>
#include <string.h>

static const char *const in_names[] = {"SECRET", "TOKEN", "PASSWORD", "PASSWD", "API_KEY", "PRIVATE_KEY", "CREDENTIAL"};

static bool is_secret(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(in_names); i++)
		if (strcasestr(name, in_names[i]) != NULL)
			return true;
	return false;
}

void secrets_add(struct buf *out, json_t *environment)
{
	const char *name;
	json_t *value;

	json_object_foreach (environment, name, value)
		if (is_secret(name) && json_string_length(value) >= SECRETS_LEAST_BYTES)
			buf_add(out, json_string_value(value), json_string_length(value) + 1);
}
