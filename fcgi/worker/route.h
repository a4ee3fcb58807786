/* Which handler answers which address: one table, the whole HTTP API. */
#ifndef WORKER_ROUTE_H
#define WORKER_ROUTE_H

#include <stddef.h>

#include "conf/conf.h"
#include "ipc/heritage.h"
#include "worker/request.h"

struct worker;
struct response;

/* What a body is for, and so how large it may be. */
enum route_body {
	ROUTE_NO_BODY,    /* there is no use for one, it is not read */
	ROUTE_INVOCATION, /* limits.request_bytes */
	ROUTE_DEPLOYMENT, /* limits.code_bytes, each of which JSON may write as \u00XX, and what else there is to say */
};

struct route {
	enum child_role role; /* the pool that serves it */
	enum request_method method;
	const char *pattern; /* "/functions/{id}": {…} takes any one segment, which the handler finds at the same place */
	const char *params;  /* of the query, separated by spaces; any other is refused */
	enum route_body max_body;
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
