#include "invoke/trace.h"

#include "base/buf.h"
#include "base/text.h"

/* The positions of the parts of a traceparent: version-traceid-parentid-flags. */
#define TRACE_ID_AT  3
#define PARENT_ID_AT 36
#define FLAGS_AT     53

/* Of valid digits: 0-9 and a-f. */
static uint64_t from_hex(const char *text, size_t digits)
{
	uint64_t value = 0;

	for (size_t i = 0; i < digits; i++)
		value = value << 4 | (uint64_t)(text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10);
	return value;
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
	struct text t = {traceparent, REQUEST_TRACEPARENT_SIZE, 0};
	unsigned char span_id[8];

	buf_put_u64(span_id, trace->span_id);
	text_add_str(&t, "00-");
	text_add_hex(&t, trace->id.bytes, sizeof(trace->id.bytes));
	text_add_str(&t, "-");
	text_add_hex(&t, span_id, sizeof(span_id));
	text_add_str(&t, "-");
	text_add_hex(&t, &trace->flags, 1);
}
