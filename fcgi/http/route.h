/* Which handler answers which address. The tables of control, invoke and follow are the whole HTTP API. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "conf/conf.h"
#include "http/request.h"

struct worker; /* what a service gives its handlers; nobody looks into it here */
struct response;

/* What a body is for, and so how large it may be. */
enum route_body {
	ROUTE_NO_BODY,    /* there is no use for one, it is not read */
	ROUTE_INVOCATION, /* limits.request_bytes */
	ROUTE_DEPLOYMENT, /* limits.code_bytes, each of which JSON may write as \u00XX, and what else there is to say */
};

struct route {
	enum request_method method;
	const char *pattern; /* "/functions/{id}": {…} takes any one segment, which the handler finds at the same place */
	const char *params;  /* of the query, separated by spaces; any other is refused */
	enum route_body max_body;
	void (*handler)(struct worker *worker, const struct request *request, struct response *response);
};

/*
 * The route of a request, once its method, origin, spelling, parameters, and the body's type and announced length were found
 * good. NULL: none, and the response says why.
 */
const struct route *route_select(const struct route *routes, size_t count, const struct conf *conf,
				 const struct request *request, struct response *response);

#endif
