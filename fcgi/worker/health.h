/* What operators and load balancers ask: alive, ready with each dependency's state, and which limits are in force. */
#ifndef WORKER_HEALTH_H
#define WORKER_HEALTH_H

struct worker;
struct request;
struct response;

void health_alive(struct worker *worker, const struct request *request, struct response *response);
void health_ready(struct worker *worker, const struct request *request, struct response *response);
void health_limits(struct worker *worker, const struct request *request, struct response *response);

/*
 * Destructor for AUTO, in every handler that uses the database: a line in the log when PostgreSQL was found to be away, and one
 * when it was found to be back.
 */
void health_log_database(struct worker **worker);

#endif
