/*
 * The error codes and their rows in problem.def, for the code that answers with them (http/problem.h) and for poolmgr, which
 * uses them to say why there is no sandbox.
 */
#ifndef IPC_PROBLEM_CODE_H
#define IPC_PROBLEM_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum problem_code {
#define PROBLEM(NAME, code, status, retry_after_s, title, help) PROBLEM_##NAME,
#include "ipc/problem.def"
	PROBLEM_COUNT
};

const char *problem_name(enum problem_code code); /* "not_found" */
int problem_status(enum problem_code code);
uint32_t problem_retry_after_s(enum problem_code code); /* 0: none */
const char *problem_title(enum problem_code code);
const char *problem_help(enum problem_code code);

/* Which limit a request was over; NONE: none, the problem is another one. */
enum throttled {
	THROTTLED_NONE,
#define THROTTLED(NAME, reason, text) THROTTLED_##NAME,
#include "ipc/problem.def"
	THROTTLED_COUNT
};

const char *throttled_name(enum throttled reason); /* "queue_full"; "" for NONE */
const char *throttled_text(enum throttled reason); /* which limit that is, in words */
bool throttled_exists(unsigned reason);

/* PROBLEM_COUNT when there is no such code. */
enum problem_code problem_find(const char *name, size_t len);

/* Whether there is a code with that number. */
bool problem_exists(unsigned code);

#endif
