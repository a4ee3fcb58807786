/* /functions: deploy, change, list and delete functions. */
#ifndef CONTROL_FUNCTIONS_FUNCTIONS_H
#define CONTROL_FUNCTIONS_FUNCTIONS_H

struct worker;
struct request;
struct response;

void functions_create(struct worker *worker, const struct request *request, struct response *response);
void functions_list(struct worker *worker, const struct request *request, struct response *response);
void functions_get(struct worker *worker, const struct request *request, struct response *response);

/* Absent fields keep their values. Every update makes a new version. */
void functions_update(struct worker *worker, const struct request *request, struct response *response);
void functions_delete(struct worker *worker, const struct request *request, struct response *response);

#endif
