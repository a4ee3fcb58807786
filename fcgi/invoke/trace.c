#include "invoke/trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* The positions of the parts of a traceparent: version-traceid-parentid-flags. */
#define TRACE_ID_AT  3
#define PARENT_ID_AT 36
#define FLAGS_AT     53

static uint64_t from_hex(const char *text, size_t digits)
{
	char copy[17] = "";

	snprintf(copy, sizeof(copy), "%.*s", (int)digits, text);
	return strtoull(copy, NULL, 16);
}

static uint64_t from_bytes(const unsigned char bytes[8])
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | bytes[i];
	return value;
}

void trace_begin(struct trace *trace, const struct uuid *invocation_id, const char *traceparent)
{
	*trace = (struct trace){*invocation_id, 0, from_bytes(invocation_id->bytes + 8), TRACE_SAMPLED};
	if (traceparent[0] == '\0')
		return;
	for (size_t i = 0; i < sizeof(trace->id.bytes); i++)
		trace->id.bytes[i] = (unsigned char)from_hex(traceparent + TRACE_ID_AT + 2 * i, 2);
	trace->parent_id = from_hex(traceparent + PARENT_ID_AT, 16);
	trace->flags = (uint8_t)from_hex(traceparent + FLAGS_AT, 2);
}

void trace_format(const struct trace *trace, char traceparent[REQUEST_TRACEPARENT_SIZE])
{
	snprintf(traceparent, REQUEST_TRACEPARENT_SIZE, "00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-%02x",
		 from_bytes(trace->id.bytes), from_bytes(trace->id.bytes + 8), trace->span_id, trace->flags);
}
