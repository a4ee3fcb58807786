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
	uint32_t retry_after_ms; /* 0: what the table says */
	json_t *members;         /* owned: what belongs to the code, e.g. {"limit": 3000}; NULL: nothing */
	char detail[1024];       /* "": the table's help */
};

/* Replaces what p held. members is taken over and may be NULL. */
void problem_set(struct problem *p, enum problem_code code, json_t *members, const char *detail, ...) PRINTF_LIKE(4, 5);
void problem_clear(struct problem *p); /* destructor for AUTO */

/* The text of detail, or of the table. */
const char *problem_detail(const struct problem *p);

struct response;

/* Answers with p, which stays the caller's. */
void problem_send(const struct problem *p, struct response *response);

/* Both at once. */
void problem_respond(struct response *response, enum problem_code code, json_t *members, const char *detail, ...)
	PRINTF_LIKE(4, 5);

#endif
