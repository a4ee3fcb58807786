/* The values of a function's variables that are secrets (base/secret.h): they are not to be seen in its logs. */
#ifndef POOLMGR_CATALOG_SECRETS_H
#define POOLMGR_CATALOG_SECRETS_H

#include <jansson.h>

#include "base/buf.h"

#define SECRETS_LEAST_BYTES 8 /* a shorter value may be any word */

/* Appends the values, each with a NUL behind it; environment: an object of strings. */
void secrets_add(struct buf *out, json_t *environment);

#endif
