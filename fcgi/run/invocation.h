/*
 * The conversation with one sandbox: INIT, INVOKE and the answers (runtimes/protocol.md), with a deadline, while the log is
 * read at the same time. A misbehaving function at worst loses its sandbox: it can neither block the worker nor make it use
 * more memory than the limits allow.
 */
#ifndef RUN_INVOCATION_H
#define RUN_INVOCATION_H

#include <stdint.h>

#include "base/fields.h"
#include "conf/conf.h"
#include "http/problem.h"
#include "ipc/counter.h"
#include "run/lease.h"

/* Holds the buffers, which are reused for one invocation after the other. */
struct invocation;

/* All are borrowed. client may be NULL, then poolmgr is not watched meanwhile; slow_timer may be NULL. */
struct invocation *invocation_new(const struct conf *conf, struct lease_client *client, struct slow_timer *slow_timer);
void invocation_free(struct invocation **invocation); /* destructor for AUTO; accepts NULL */

enum outcome_kind {
	OUTCOME_SUCCESS,
	OUTCOME_FAILURE,   /* problem has the details */
	OUTCOME_UNTOUCHED, /* the sandbox was bad, or recalled, before the invocation was begun: the caller may try another one
			    */
};

/* Why loading the code failed. */
enum init_failure { INIT_FINE, INIT_SYNTAX, INIT_HANDLER, INIT_EXCEPTION, INIT_EXITED, INIT_TIMEOUT };

/* What the sandbox printed after its previous invocation had answered: an addition to that one's log. */
struct late {
	struct last of; /* as before this addition */
	struct str log; /* up to of.room */
	struct str log_times, log_streams, log_levels;
	uint64_t log_bytes; /* bytes printed in all; 0: there was nothing */
	unsigned failures;  /* errors that nobody caught */
};

/* Pointers point into the invocation and are valid until invocation_trim or its next use. */
struct outcome {
	enum outcome_kind kind;
	struct problem problem;
	enum init_failure init_failure;
	int64_t init_line;           /* line of INIT_SYNTAX; 0: not known */
	enum counter destroy_reason; /* why the sandbox must be destroyed; 0: it may be used again */
	struct str output;           /* JSON, checked */
	int64_t init_us, exec_us;
	int64_t cpu_us;                                /* processor time including loading; -1: not known */
	int64_t background_us;                         /* processor time used since the previous invocation in that sandbox */
	int64_t memory_bytes;                          /* peak; 0: not known */
	struct str log;                                /* the printed output, up to the function's log_bytes */
	struct str log_times, log_streams, log_levels; /* its times, streams and levels, as in ipc/record.def */
	uint64_t log_bytes;                            /* bytes printed in all */
	struct late late;
};
#define OUTCOME_NONE ((struct outcome){.cpu_us = -1})
void outcome_clear(struct outcome *outcome); /* destructor for AUTO */

struct invocation_input {
	struct uuid uuid;        /* id, not as text */
	int64_t requested_at_us; /* wall clock */
	const char *id;          /* the invocation's id, which is unknown before and by which alone the answer is recognised */
	const char *request_id;  /* the client's request id; a label that is safe inside JSON (http/request.h) */
	const char *traceparent; /* the client's traceparent, equally safe; "" for none */
	int64_t begun_us;        /* when the request arrived; monotonic */
	const char *body;        /* the request's JSON object; sent from where it is, without a copy */
	size_t body_len;
};

/* Initialises the function if necessary, and runs it. Always fills *outcome, which the caller clears. */
void invocation_run(struct invocation *v, struct lease *lease, const struct invocation_input *input, struct outcome *outcome);

/* Only initialises the function: OUTCOME_SUCCESS when the agent answered READY. */
void invocation_init(struct invocation *v, struct lease *lease, struct outcome *outcome);

/* To be called between requests: frees the memory that a large one needed. */
void invocation_trim(struct invocation *v);

#endif
