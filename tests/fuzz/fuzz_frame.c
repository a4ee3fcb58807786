/* Frames of an agent, one after the other, as they arrive on a control socket. */
#include <assert.h>

#include "fuzz.h"
#include "ipc/frame.h"

#define MAX_PAYLOAD 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *meta, *body, *p = (const char *)data;
	size_t meta_len, body_len;
	struct frame frame;
	struct err err;

	for (;;) {
		ptrdiff_t n = frame_decode(p, size, MAX_PAYLOAD, &frame, &err);
		if (n <= 0)
			return 0;
		assert((size_t)n <= size && (size_t)n == FRAME_HEADER_SIZE + frame.len && frame.len <= MAX_PAYLOAD);
		assert(frame.payload == p + FRAME_HEADER_SIZE && frame_name(frame.type)[0] != '?');
		if (frame_split(&frame, &meta, &meta_len, &body, &body_len, &err) == 0)
			assert(meta == frame.payload && body == meta + meta_len + 1 && meta_len + 1 + body_len == frame.len);
		p += n;
		size -= (size_t)n;
	}
}
