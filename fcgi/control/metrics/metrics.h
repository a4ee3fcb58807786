/* What the invocations of some time add up to, and how the platform is: /metrics/…. */
#ifndef CONTROL_METRICS_METRICS_H
#define CONTROL_METRICS_METRICS_H

struct worker;
struct request;
struct response;

/* GET /metrics/system: how things are now; with any of from, to and step: how they were. */
void metrics_system(struct worker *worker, const struct request *request, struct response *response);

/* GET /metrics/functions/{id} */
void metrics_function(struct worker *worker, const struct request *request, struct response *response);

/* GET /metrics/runtimes: the figures of each runtime side by side, of all functions or of one. */
void metrics_runtimes(struct worker *worker, const struct request *request, struct response *response);

#endif
