/*
 * Checks PostgreSQL and the pool manager, on which Berth depends, on behalf of a client. The answer says whether they work,
 * without details that are meant for the operator (http/discreet.h).
 */
#ifndef CONTROL_HEALTH_DEPENDENCY_H
#define CONTROL_HEALTH_DEPENDENCY_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct worker;

/* Adds name: {"status": "ok" or "failed", "detail": …} to checks. */
void dependency_add(json_t *checks, const char *name, bool ok, const char *detail);

/* Asks PostgreSQL and adds "database"; returns whether it works. */
bool dependency_check_database(struct worker *worker, json_t *checks);

/* Gets poolmgr's numbers as a new reference; whole: all of them. Does not wait long. */
int dependency_ask_poolmgr(struct worker *worker, bool whole, json_t **stats, struct err *err);

#endif
