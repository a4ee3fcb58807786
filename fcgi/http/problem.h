/*
 * Problems: errors as a client sees them, application/problem+json (RFC 9457) with the codes of problem.def.
 * detail says what happened, which limit was hit and what to do.
 */
#ifndef HTTP_PROBLEM_H
#define HTTP_PROBLEM_H

#include <jansson.h>
#include <stdint.h>

#include "base/defs.h"

enum problem_code {
#define PROBLEM(NAME, code, status, retry_after_s, title, help) PROBLEM_##NAME,
#include "ipc/problem.def"
#undef PROBLEM
	PROBLEM_COUNT
};

struct problem {
	enum problem_code code;
	uint32_t retry_after_ms; /* 0: what the table says */
	json_t *members;         /* owned: what belongs to the code, e.g. {"limit": 3000}; NULL: nothing */
	char detail[1024];       /* "": the table's help */
};

const char *problem_name(enum problem_code code); /* "not_found" */
int problem_status(enum problem_code code);
const char *problem_help(enum problem_code code);

/* PROBLEM_COUNT when there is no such code. */
enum problem_code problem_find(const char *name, size_t len);

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
