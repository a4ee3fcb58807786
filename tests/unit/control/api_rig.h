/* What the API answers to one request, from a scratch database and without poolmgr. For test programs that only read. */
#ifndef UNIT_WORKER_API_RIG_H
#define UNIT_WORKER_API_RIG_H

#include <jansson.h>

#include "tests/support/pg_group.h"

/* A database with all of migrations/ applied; of a group of tests. */
int api_rig_start(void **state);
int api_rig_stop(void **state);

/* GET uri is answered with this status and what /openapi.json describes: the answer, a new reference. */
json_t *api_rig_get(const char *uri, int status);

/* GET uri is answered with 200 and exactly this JSON: the same members, in any order, with values of the same types. */
void api_rig_answers(const char *uri, const char *json);

#endif
