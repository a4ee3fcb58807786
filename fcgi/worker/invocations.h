/* Single invocations: /functions/{id}/invocations, /invocations/{id}, /invocations/{id}/logs. */
#ifndef WORKER_INVOCATIONS_H
#define WORKER_INVOCATIONS_H

#include "base/buf.h"
#include "db/db_invocations.h"

struct worker;
struct request;
struct response;

void invocations_list(struct worker *worker, const struct request *request, struct response *response);
void invocations_get(struct worker *worker, const struct request *request, struct response *response);
void invocations_log(struct worker *worker, const struct request *request, struct response *response);

/* Appends what one printed, from a row of logs: an object with its lines and what is to be known of them. */
void invocations_log_write(const PGresult *logs, int row, struct buf *out);

#endif
