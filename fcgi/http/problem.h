/*
 * Problems: errors as a client sees them, application/problem+json (RFC 9457) with the codes of ipc/problem.def.
 * detail says what happened, which limit was hit and what to do.
 */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include <jansson.h>
#include <stdint.h>

#include "base/defs.h"
#include "ipc/problem_code.h"

struct problem {
	enum problem_code code;
	uint32_t retry_after_ms; /* 0: the value of the table */
	json_t *members;         /* owned: further members for the code, e.g. {"limit": 3000}; NULL: none */
	char detail[1024];       /* "": the help text of the table */
};

/* Replaces the content of p. p owns members from now on; it may be NULL. */
void problem_set(struct problem *p, enum problem_code code, json_t *members, const char *detail, ...) PRINTF_LIKE(4, 5);
void problem_clear(struct problem *p); /* destructor for AUTO */

/* The detail, or the help text of the table. */
const char *problem_detail(const struct problem *p);

struct response;

/* Answers with p, which the caller still owns. */
void problem_send(const struct problem *p, struct response *response);

/* Sets a problem and answers with it. */
void problem_respond(struct response *response, enum problem_code code, json_t *members, const char *detail, ...)
	PRINTF_LIKE(4, 5);

#endif
