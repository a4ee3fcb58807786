/* POST /execute/{id}: one invocation. */
#ifndef INVOKE_EXECUTE_H
#define INVOKE_EXECUTE_H

struct worker;
struct request;
struct response;

void execute(struct worker *worker, const struct request *request, struct response *response);

#endif
