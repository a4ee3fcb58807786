/*
 * A spool file as the collector walks through it: records, and after damage the next thing that looks like one. The checksum
 * keeps invented payloads out, so the input also serves as text of a record that must come back as it was. The key is the one
 * of the corpus (make-corpus).
 */
#include <assert.h>
#include <string.h>

#include "fuzz.h"
#include "ipc/record.h"

static const struct uuid key = {"berth spool rec"};

static void walk(const char *p, size_t size)
{
	struct record record;
	struct err err;

	while (size > 0) {
		ptrdiff_t n = record_decode(p, size, &key, &record, &err);
		if (n == 0)
			return;
		size_t skip = n > 0 ? (size_t)n : record_resync(p, size);
		assert(skip > 0 && skip <= size);
		p += skip;
		size -= skip;
	}
}

static void round_trip(const char *data, size_t size)
{
	AUTO(buf_free) struct buf out = {0};
	struct record back,
		record = {.log = {data, (uint32_t)size}, .error_message = {data, (uint32_t)(size / 2)}, .log_bytes = size};
	struct err err;

	record_encode(&record, &key, &out);
	assert(record_decode(out.data, out.len, &key, &back, &err) == (ptrdiff_t)out.len);
	assert(back.log.len == size && memcmp(back.log.data, data, size) == 0 && back.error_message.len == size / 2);
	walk(out.data + 1, out.len - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	walk((const char *)data, size);
	if (size < RECORD_MAX_SIZE / 4)
		round_trip((const char *)data, size);
	return 0;
}
