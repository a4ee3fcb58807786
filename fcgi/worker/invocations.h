/* Single invocations: /functions/{id}/invocations, /invocations/{id}, /invocations/{id}/logs. */
#ifndef WORKER_INVOCATIONS_H
#define WORKER_INVOCATIONS_H

#include <jansson.h>

#include "db/db_invocations.h"

struct worker;
struct request;
struct response;

#define INVOCATIONS_PARAMS "status error_code version runtime start_kind slower_than_ms from to text limit cursor"

void invocations_list(struct worker *worker, const struct request *request, struct response *response);
void invocations_get(struct worker *worker, const struct request *request, struct response *response);
void invocations_log(struct worker *worker, const struct request *request, struct response *response);

/* What one printed, from a row of logs: lines and what is to be known of them. */
json_t *invocations_log_json(const PGresult *logs, int row);

#endif
