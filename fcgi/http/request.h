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

/* HEAD is treated as GET: nginx omits the body. */
enum request_method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_DELETE, METHOD_OTHER, METHOD_COUNT };
const char *request_method_name(enum request_method method);

struct request_param {
	const char *name, *value;
};

/* It contains pointers into itself, so it must not be copied. */
struct request {
	enum request_method method;
	char path[REQUEST_PATH_SIZE]; /* as sent, without the query */
	int segment_count;
	const char *segments[REQUEST_SEGMENTS_MAX]; /* decoded once; printable ASCII without '/' */
	int param_count;
	struct request_param params[REQUEST_PARAMS_MAX]; /* parameters of the query, decoded; printable ASCII */
	char id[REQUEST_ID_SIZE]; /* the client's request id if it is valid, otherwise a new one; safe inside JSON */
	char traceparent[REQUEST_TRACEPARENT_SIZE]; /* "" if there is none, or it is invalid */
	char content_type[64];                      /* media type without parameters, lower case; "" if there is none */
	char if_match[64];                          /* "" when there is none */
	char caller[64];        /* the client's address; "" if it is invalid. A client's own claims about it are not used */
	bool foreign;           /* a browser sent it for a page of another site */
	int64_t content_length; /* the length that the client announced; 0 if none */
	int64_t waited_us; /* time in its lane since the web server had read all of it; 0: unknown or too short to measure */
	const char *body;  /* borrowed, NUL-terminated; NULL until the body was read */
	size_t body_len;

	/* The texts that segments and params point into. */
	char path_text[REQUEST_PATH_SIZE], query_text[REQUEST_QUERY_SIZE];
};

/* The source of a request. Each member may be NULL: there is none. */
struct request_source {
	const char *method;
	const char *uri;                                          /* as in the request line; the part after '?' is ignored */
	const char *query;                                        /* without '?' */
	const char *(*variable)(void *context, const char *name); /* "HTTP_IF_MATCH", "CONTENT_LENGTH"; NULL when absent */
	void *context;
	int64_t now_us; /* wall clock */
};

/*
 * Returns -1 if the request breaks a rule, which err->msg names; it must be answered with invalid_request. Even then method,
 * path and id are set, so that it can be answered.
 */
int request_parse(const struct request_source *source, struct request *request, struct err *err);

/* The value of a parameter of the query, or NULL. */
const char *request_param(const struct request *request, const char *name);

/* Reads a parameter that is a whole number within min..max. If it is absent, *value is unchanged. */
int request_param_int(const struct request *request, const char *name, int64_t min, int64_t max, int64_t *value,
		      struct err *err);

#endif
