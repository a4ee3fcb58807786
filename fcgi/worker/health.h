/* What operators and load balancers ask: alive, ready with each dependency's state, and which limits are in force. */
#ifndef WORKER_HEALTH_H
#define WORKER_HEALTH_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

struct worker;
struct request;
struct response;

void health_alive(struct worker *worker, const struct request *request, struct response *response);
void health_ready(struct worker *worker, const struct request *request, struct response *response);
void health_limits(struct worker *worker, const struct request *request, struct response *response);

/* Adds "database": {"status": "ok" or "failed", "detail": …}; returns whether it is well. */
bool health_check_database(struct worker *worker, json_t *checks);

/* poolmgr's numbers, a new reference; whole: all it has. Does not wait long for them. */
int health_ask_poolmgr(struct worker *worker, bool whole, json_t **stats, struct err *err);

#endif
