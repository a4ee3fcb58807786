/* Which handler answers which address: one table, the whole HTTP API. */
#ifndef WORKER_ROUTE_H
#define WORKER_ROUTE_H

#include <stddef.h>

#include "conf/conf.h"
#include "ipc/heritage.h"
#include "worker/request.h"

struct worker;
struct response;

struct route {
	enum child_role role; /* the pool that serves it */
	enum request_method method;
	const char *pattern; /* "/functions/{id}": {…} takes any one segment, which the handler finds at the same place */
	const char *params;  /* of the query, separated by spaces; any other is refused */
	size_t max_body;     /* offset in struct conf of the limit of the body; 0: there is no use for a body, it is not read */
	void (*handler)(struct worker *worker, const struct request *request, struct response *response);
};

/* The table, for whoever wants to compare it with its documentation. */
const struct route *route_table(size_t *count);

/*
 * The route of a request, once its method, parameters and announced length were found good. NULL: none, and the response says
 * why.
 */
const struct route *route_select(enum child_role role, const struct conf *conf, const struct request *request,
				 struct response *response);

#endif
