/*
 * GET /metrics: what berthd counts, for Prometheus (text format 0.0.4). All of it is on the scoreboard: no other process and no
 * database is asked, so it is told however bad things are.
 */
#ifndef CONTROL_METRICS_PROMETHEUS_H
#define CONTROL_METRICS_PROMETHEUS_H

#include "base/buf.h"
#include "conf/conf.h"
#include "ipc/scoreboard.h"

struct worker;
struct request;
struct response;

void prometheus_tell(struct worker *worker, const struct request *request, struct response *response);

/* The text alone. */
void prometheus_write(struct scoreboard *board, const struct conf *conf, struct buf *text);

#endif
