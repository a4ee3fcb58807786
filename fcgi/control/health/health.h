/* Health checks for operators and load balancers: alive; ready, with the state of each dependency. */
#ifndef CONTROL_HEALTH_HEALTH_H
#define CONTROL_HEALTH_HEALTH_H

struct worker;
struct request;
struct response;

void health_alive(struct worker *worker, const struct request *request, struct response *response);
void health_ready(struct worker *worker, const struct request *request, struct response *response);

#endif
