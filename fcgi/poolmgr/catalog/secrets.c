#include "poolmgr/catalog/secrets.h"

#include "base/secret.h"

void secrets_add(struct buf *out, json_t *environment)
{
	const char *name;
	json_t *value;

	json_object_foreach (environment, name, value)
		if (secret_name(name) && json_string_length(value) >= SECRETS_LEAST_BYTES)
			buf_add(out, json_string_value(value), json_string_length(value) + 1);
}
