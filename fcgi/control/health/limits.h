/* GET /limits: the defaults and bounds of a function's settings, and other limits. */
#ifndef CONTROL_HEALTH_LIMITS_H
#define CONTROL_HEALTH_LIMITS_H

struct worker;
struct request;
struct response;

void limits_get(struct worker *worker, const struct request *request, struct response *response);

#endif
