/*
 * One HTTP request, parsed from CGI variables and bounded in every direction. Pure: no I/O, no libfcgi, so it can be tested and
 * fuzzed alone; connection.h fetches the variables and the body.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define REQUEST_PATH_SIZE        1024
#define REQUEST_QUERY_SIZE       1024
#define REQUEST_SEGMENTS_MAX     8
#define REQUEST_PARAMS_MAX       12
#define REQUEST_ID_SIZE          65
#define REQUEST_TRACEPARENT_SIZE 56
#define REQUEST_WAIT_LEAST_US    10000

/* HEAD is GET: nginx leaves the body away. */
enum request_method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_DELETE, METHOD_OTHER, METHOD_COUNT };
const char *request_method_name(enum request_method method);

struct request_param {
	const char *name, *value;
};

/* Holds pointers into itself: not to be copied. */
struct request {
	enum request_method method;
	char path[REQUEST_PATH_SIZE]; /* as it was sent, without the query */
	int segment_count;
	const char *segments[REQUEST_SEGMENTS_MAX]; /* decoded once; printable ASCII without '/' */
	int param_count;
	struct request_param params[REQUEST_PARAMS_MAX]; /* of the query, decoded; printable ASCII */
	char id[REQUEST_ID_SIZE];                        /* the client's when it is sane, else a new one; safe inside JSON */
	char traceparent[REQUEST_TRACEPARENT_SIZE];      /* "" when there is none, or none that W3C would accept */
	char content_type[64];                           /* media type without parameters, lower case; "" when not said */
	char if_match[64];                               /* "" when there is none */
	char caller[64];        /* the client's address, "" when it is none: what a client says of itself proves nothing */
	bool foreign;           /* a browser sent it for a page that is not of this platform */
	int64_t content_length; /* what the client announced; 0 when nothing */
	int64_t waited_us;      /* in its lane, since the web server had read it whole; 0: not said, or not worth mentioning */
	const char *body;       /* borrowed, NUL-terminated; NULL until the body was read */
	size_t body_len;

	/* What segments and params point into. */
	char path_text[REQUEST_PATH_SIZE], query_text[REQUEST_QUERY_SIZE];
};

/* Where it comes from. Each may be NULL: not said. */
struct request_source {
	const char *method;
	const char *uri;                                          /* as in the request line; the part behind '?' is ignored */
	const char *query;                                        /* without '?' */
	const char *(*variable)(void *context, const char *name); /* "HTTP_IF_MATCH", "CONTENT_LENGTH"; NULL when absent */
	void *context;
	int64_t now_us; /* wall clock */
};

/*
 * -1: the request breaks a rule, err->msg says which, to be answered with invalid_request. Even then method, path and id are
 * set, so that it can be answered.
 */
int request_parse(const struct request_source *source, struct request *request, struct err *err);

/* The value of a parameter of the query, or NULL. */
const char *request_param(const struct request *request, const char *name);

/* A whole number within min..max in a parameter. Absent: *value stays. */
int request_param_int(const struct request *request, const char *name, int64_t min, int64_t max, int64_t *value,
		      struct err *err);

#endif
