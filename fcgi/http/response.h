/*
 * One HTTP response as CGI text, built in memory: a handler adds headers first, then calls exactly one of the functions
 * that take a status. X-Request-Id, Cache-Control: no-store and the lengths are always there. Reused from request to request.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include <jansson.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/fields.h"

/* The maximum number of parts of a borrowed body, and of a whole response. */
#define RESPONSE_BORROWED_MAX 3
#define RESPONSE_PARTS_MAX    (1 + RESPONSE_BORROWED_MAX)

struct request;

struct response {
	const struct request *request; /* borrowed: the request that is answered */
	int status;                    /* 0 until answered */
	size_t body_len;
	struct buf headers; /* added by response_header and response_header_text */
	struct buf out;     /* the response once it is answered, without the borrowed parts */
	struct str borrowed[RESPONSE_BORROWED_MAX];
	size_t borrowed_count;
};

void response_begin(struct response *r, const struct request *request);
void response_trim(struct response *r); /* after it was sent: frees the memory of a large response */
void response_free(struct response *r); /* destructor for AUTO */

/* Control characters in the value become spaces, so that no value can add a header. The formatted value is cut after 511 bytes.
 */
void response_header(struct response *r, const char *name, const char *value, ...) PRINTF_LIKE(3, 4);
void response_header_text(struct response *r, const char *name, const char *value);

/* The body consists of the parts in order, which are copied. */
void response_body(struct response *r, int status, const char *content_type, const struct str *parts, size_t count);

/* The same without a copy: the parts, at most RESPONSE_BORROWED_MAX, must stay valid until response_trim. */
void response_borrow(struct response *r, int status, const char *content_type, const struct str *parts, size_t count);

/* The caller still owns json. */
void response_json(struct response *r, int status, const char *content_type, const json_t *json);

/* Answers with 204. */
void response_no_content(struct response *r);

/* Gets the parts to send, in order, and returns their number. They are valid until response_trim. */
size_t response_parts(const struct response *r, struct str parts[RESPONSE_PARTS_MAX]);

#endif
