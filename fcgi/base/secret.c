#include "base/secret.h"

#include <stddef.h>
#include <string.h>

#include "base/defs.h"

static const char *const in_names[] = {"SECRET", "TOKEN", "PASSWORD", "PASSWD", "API_KEY", "PRIVATE_KEY", "CREDENTIAL"};

bool secret_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(in_names); i++)
		if (strcasestr(name, in_names[i]) != NULL)
			return true;
	return false;
}
