/*
 * What Berth depends on, PostgreSQL and the pool manager, asked on behalf of a client: it is told whether they are well, and
 * not what is the operator's business (http/discreet.h).
 */
#ifndef CONTROL_HEALTH_DEPENDENCY_H
#define CONTROL_HEALTH_DEPENDENCY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct worker;

/* Adds name: {"status": "ok" or "failed", "detail": …} to checks. */
void dependency_add(json_t *checks, const char *name, bool ok, const char *detail);

/* Asks PostgreSQL and adds "database"; returns whether it is well. */
bool dependency_check_database(struct worker *worker, json_t *checks);

/* poolmgr's numbers, a new reference; whole: all it has. Does not wait long for them. */
int dependency_ask_poolmgr(struct worker *worker, bool whole, json_t **stats, struct err *err);

#endif
