/* Single invocations: /functions/{id}/invocations, /invocations/{id}, /invocations/{id}/logs. */
#ifndef WORKER_INVOCATIONS_H
#define WORKER_INVOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "db/db_invocations.h"

struct worker;
struct request;
struct response;

void invocations_list(struct worker *worker, const struct request *request, struct response *response);
void invocations_get(struct worker *worker, const struct request *request, struct response *response);
void invocations_log(struct worker *worker, const struct request *request, struct response *response);

/*
 * Appends what one printed, from a row of logs: an object with what is to be known of it, a page of its lines
 * (worker/log_format.h), and where to go on. Returns whether that was all of it.
 */
bool invocations_log_write(const PGresult *logs, int row, uint64_t from, struct buf *out);

#endif
