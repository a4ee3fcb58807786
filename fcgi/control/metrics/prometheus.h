/*
 * GET /metrics: berthd's counters for Prometheus (text format 0.0.4). All of them are on the scoreboard, so the answer needs no
 * other process and no database, and works while these are down.
 */
#ifndef CONTROL_METRICS_PROMETHEUS_H
#define CONTROL_METRICS_PROMETHEUS_H

#include "base/buf.h"
#include "conf/conf.h"
#include "ipc/scoreboard.h"

struct worker;
struct request;
struct response;

void prometheus_get(struct worker *worker, const struct request *request, struct response *response);

/* Writes the text. */
void prometheus_write(struct scoreboard *board, const struct conf *conf, struct buf *text);

#endif
