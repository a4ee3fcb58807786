/* What operators and load balancers ask: alive; ready, with the state of each dependency. */
#ifndef WORKER_HEALTH_H
#define WORKER_HEALTH_H

struct worker;
struct request;
struct response;

void health_alive(struct worker *worker, const struct request *request, struct response *response);
void health_ready(struct worker *worker, const struct request *request, struct response *response);

#endif
