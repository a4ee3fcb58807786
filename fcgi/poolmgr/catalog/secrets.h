/* Finds the values of a function's environment variables that are secrets (base/secret.h), to be masked in its logs. */
#ifndef POOLMGR_CATALOG_SECRETS_H
#define POOLMGR_CATALOG_SECRETS_H

#include <jansson.h>

#include "base/buf.h"

#define SECRETS_LEAST_BYTES 8 /* shorter values may be ordinary words */

/* Appends the values, each followed by a NUL; environment: an object of strings. */
void secrets_add(struct buf *out, json_t *environment);

#endif
