/*
 * The conversation with one sandbox: INIT, INVOKE, and what comes back (runtimes/protocol.md), with a deadline, while the log
 * is read at its side. Whatever a function does in there costs it its sandbox at worst: it can neither block the worker nor
 * make it use more memory than the limits allow.
 */
#ifndef RUN_INVOCATION_H
#define RUN_INVOCATION_H

#include <stdint.h>

#include "base/fields.h"
#include "conf/conf.h"
#include "http/problem.h"
#include "ipc/counter.h"
#include "run/lease.h"

/* Holds the buffers, which serve one invocation after the other. */
struct invocation;

/* All are borrowed. client may be NULL: then nobody watches over poolmgr; so may patience. */
struct invocation *invocation_new(const struct conf *conf, struct lease_client *client, struct patience *patience);
void invocation_free(struct invocation **invocation); /* destructor for AUTO; accepts NULL */

enum outcome_kind {
	OUTCOME_SUCCESS,
	OUTCOME_FAILURE,   /* problem says what */
	OUTCOME_UNTOUCHED, /* the sandbox was bad, or asked back, before anything ran in it: another one may be tried */
};

/* How loading the code went wrong. */
enum init_failure { INIT_FINE, INIT_SYNTAX, INIT_HANDLER, INIT_EXCEPTION, INIT_EXITED, INIT_TIMEOUT };

/* What points somewhere points into the invocation, until invocation_rest or its next use. */
struct outcome {
	enum outcome_kind kind;
	struct problem problem;
	enum init_failure init_failure;
	int64_t init_line;           /* of INIT_SYNTAX; 0: not known */
	enum counter destroy_reason; /* 0: the sandbox may serve again */
	struct str output;           /* JSON, checked */
	int64_t init_us, exec_us;
	int64_t cpu_us;                    /* processor time, init included; -1: not known */
	int64_t background_us;             /* used since the invocation before in that sandbox */
	int64_t memory_bytes;              /* the most at one time; 0: not known */
	struct str log;                    /* what was printed, up to the function's log_bytes */
	struct str log_times, log_streams; /* and when, and where to: as in ipc/record.def */
	uint64_t log_bytes;                /* printed in all */
	uint64_t orphan_bytes;             /* printed before this invocation and thrown away */
};
#define OUTCOME_NONE ((struct outcome){.cpu_us = -1})
void outcome_clear(struct outcome *outcome); /* destructor for AUTO */

struct invocation_input {
	const char *id;          /* of the invocation, not known before: by it alone the answer is recognised */
	const char *request_id;  /* the client's; a label, safe inside JSON, as http/request.h has it */
	const char *traceparent; /* the same; "" for none */
	int64_t begun_us;        /* when the request came; monotonic */
	const char *body;        /* the request's JSON object; sent from where it is */
	size_t body_len;
};

/* Initialises the function if it is not yet, and runs it. Always fills *outcome, which the caller clears. */
void invocation_run(struct invocation *v, struct lease *lease, const struct invocation_input *input, struct outcome *outcome);

/* Only initialises it: OUTCOME_SUCCESS when the agent said READY. */
void invocation_init(struct invocation *v, struct lease *lease, struct outcome *outcome);

/* Between two requests: gives memory back that a large one took. */
void invocation_rest(struct invocation *v);

#endif
