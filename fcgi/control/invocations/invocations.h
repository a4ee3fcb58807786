/* Single invocations: /functions/{id}/invocations, /invocations, /invocations/{id}, /invocations/{id}/logs. */
#ifndef CONTROL_INVOCATIONS_INVOCATIONS_H
#define CONTROL_INVOCATIONS_INVOCATIONS_H

struct worker;
struct request;
struct response;

void invocations_list(struct worker *worker, const struct request *request, struct response *response);
void invocations_search(struct worker *worker, const struct request *request, struct response *response);
void invocations_get(struct worker *worker, const struct request *request, struct response *response);
void invocations_log(struct worker *worker, const struct request *request, struct response *response);

#endif
