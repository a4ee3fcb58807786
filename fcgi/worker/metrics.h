/* Numbers about the platform. */
#ifndef WORKER_METRICS_H
#define WORKER_METRICS_H

struct worker;
struct request;
struct response;

/* Processes, pool and database as they are now. */
void metrics_system(struct worker *worker, const struct request *request, struct response *response);

#endif
