/* An invocation as the API shows it. */
#ifndef CONTROL_INVOCATIONS_INVOCATION_JSON_H
#define CONTROL_INVOCATIONS_INVOCATION_JSON_H

#include <jansson.h>
#include <libpq-fe.h>

/* Makes a new reference from a row of db_invocations or db_invocation. */
json_t *invocation_json(const PGresult *invocations, int row);

/* The name of each of its members; NULL behind the last. */
const char *invocation_json_member(size_t i);

#endif
