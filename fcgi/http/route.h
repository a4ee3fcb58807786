/* Which handler answers which request. The tables of control, invoke and follow are the whole HTTP API. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "conf/conf.h"
#include "http/request.h"

struct worker; /* the context that a service gives its handlers; opaque here */
struct response;

/* The kind of body, which determines its maximum size. */
enum route_body {
	ROUTE_NO_BODY,    /* a body is not used and not read */
	ROUTE_INVOCATION, /* limits.request_bytes */
	ROUTE_DEPLOYMENT, /* limits.code_bytes, each of which JSON may write as \u00XX, and the other fields */
};

struct route {
	enum request_method method;
	const char *pattern; /* "/functions/{id}": {…} matches any one segment, which the handler finds at the same index */
	const char *params;  /* parameters names of query parameters, separated by spaces; others are refused */
	enum route_body max_body;
	void (*handler)(struct worker *worker, const struct request *request, struct response *response);
};

/*
 * Finds the route of a request, and checks its method, origin, spelling and parameters, and the body's type and announced
 * length. NULL: there is no route or a check failed, and the response has the reason.
 */
const struct route *route_select(const struct route *routes, size_t count, const struct conf *conf,
				 const struct request *request, struct response *response);

#endif
