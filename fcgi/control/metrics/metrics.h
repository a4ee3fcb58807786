/* Metrics of a period, and the current state of the platform: /metrics/…. */
#ifndef CONTROL_METRICS_METRICS_H
#define CONTROL_METRICS_METRICS_H

struct worker;
struct request;
struct response;

/* GET /metrics/system: the current state; with any of from, to and step: the past. */
void metrics_system(struct worker *worker, const struct request *request, struct response *response);

/* GET /metrics/functions/{id} */
void metrics_function(struct worker *worker, const struct request *request, struct response *response);

/* GET /metrics/runtimes: the figures of each runtime side by side, for all functions or one. */
void metrics_runtimes(struct worker *worker, const struct request *request, struct response *response);

#endif
