/*
 * W3C Trace Context (https://www.w3.org/TR/trace-context/): each invocation is one span of its caller's trace, or the first of
 * a new one. Its ids are derived from the invocation's id, so that they can be found from the record.
 */
#ifndef INVOKE_TRACE_H
#define INVOKE_TRACE_H

#include <stdint.h>

#include "base/uuid.h"
#include "http/request.h"

#define TRACE_SAMPLED 0x01u

struct trace {
	struct uuid id;     /* of the trace; the invocation's id if the caller has none */
	uint64_t parent_id; /* the caller's span; 0: none */
	uint64_t span_id;   /* the invocation's span: the last eight bytes of its id */
	uint8_t flags;
};

/* traceparent as in struct request: valid, or "". */
void trace_begin(struct trace *trace, const struct uuid *invocation_id, const char *traceparent);

/* Makes the traceparent for the calls of the invocation and for its caller. */
void trace_format(const struct trace *trace, char traceparent[REQUEST_TRACEPARENT_SIZE]);

#endif
