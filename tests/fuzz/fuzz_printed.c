/*
 * What a function prints, in pieces and from two streams at once. The input's first byte is the room there is, in units of
 * eight bytes; then comes the length of the secrets and the secrets, with NULs between; then pieces: a byte for the stream (bit
 * 7) and the length, and the bytes. Without secrets, and where all had room, each stream comes out as it went in, but for its
 * marks.
 */
#include <assert.h>
#include <string.h>

#include "base/leb128.h"
#include "base/mem.h"
#include "fuzz.h"
#include "run/printed.h"

#define SECRETS_MAX 64

struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t take_byte(struct input *in)
{
	if (in->size == 0)
		return 0;
	in->size--;
	return *in->data++;
}

static const uint8_t *take(struct input *in, size_t *n)
{
	const uint8_t *data = in->data;

	*n = MIN(*n, in->size);
	in->data += *n;
	in->size -= *n;
	return data;
}

/* The log's bytes, each stream for itself again. */
static void part(const struct printed_log *log, struct buf out[PRINTED_STREAMS])
{
	size_t at = 0, read = 0;

	for (int stream = PRINTED_STDOUT; at < log->text.len; stream = 1 - stream) {
		uint64_t bytes = log->text.len - at;
		size_t n = leb128_get(buf_str(&log->streams) + read, log->streams.len - read, &bytes);
		read += n;
		if (n == 0) /* the last run goes to the end */
			bytes = log->text.len - at;
		assert(bytes <= log->text.len - at);
		buf_add(&out[stream], log->text.data + at, bytes);
		at += bytes;
	}
	assert(read == log->streams.len);
}

static void check_times(const struct printed_log *log)
{
	uint64_t value, covered = 0;
	size_t read = 0, n;

	for (int i = 0; read < log->times.len; i++, read += n) {
		n = leb128_get(log->times.data + read, log->times.len - read, &value);
		assert(n > 0);
		covered += i % 2 == 0 ? value : 0;
	}
	assert(covered <= log->text.len);
}

static void remove_marks(struct buf *b)
{
	char *mark;
	size_t from = 0;

	while (b->len > from && (mark = memmem(b->data + from, b->len - from, PRINTED_MARK, PRINTED_MARK_SIZE)) != NULL) {
		from = (size_t)(mark - b->data);
		memmove(mark, mark + PRINTED_MARK_SIZE, b->len - from - PRINTED_MARK_SIZE);
		b->len -= PRINTED_MARK_SIZE;
	}
}

static void check_secrets(const struct buf *out, const char *secrets, size_t len)
{
	for (const char *s = secrets; s < secrets + len; s += strlen(s) + 1)
		if (s[0] != '\0' && strchr(s, MASK[0]) == NULL && out->len > 0)
			assert(memmem(out->data, out->len, s, strlen(s)) == NULL);
}

static void check(const struct printed_log *log, struct buf in[PRINTED_STREAMS], const char *secrets, size_t len, size_t room)
{
	struct buf out[PRINTED_STREAMS] = {{0}};

	assert(log->text.len <= room && log->bytes >= log->text.len);
	check_times(log);
	part(log, out);
	for (int i = 0; i < PRINTED_STREAMS; i++) {
		remove_marks(&in[i]);
		if (len == 0 && log->bytes == log->text.len)
			assert(out[i].len == in[i].len && (in[i].len == 0 || memcmp(out[i].data, in[i].data, in[i].len) == 0));
		check_secrets(&out[i], secrets, len);
		buf_free(&out[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct printed printed = {0};
	struct printed_log log = {0};
	struct buf streams[PRINTED_STREAMS] = {{0}};
	char secrets[SECRETS_MAX + 1] = "";
	size_t room = take_byte(&in) * 8u, n = take_byte(&in) % SECRETS_MAX;
	const uint8_t *bytes = take(&in, &n);

	memcpy(secrets, bytes, n);
	size_t len = n > 0 ? n + 1 : 0;
	struct mask *mask = mask_new(secrets, len);
	printed_begin(&printed, room, mask);
	for (int64_t ms = 0; in.size > 0; ms++) {
		uint8_t head = take_byte(&in);
		enum printed_stream stream = head >> 7;
		n = head & 0x7f;
		bytes = take(&in, &n);
		memcpy(printed_reserve(&printed, stream, n + 1), bytes, n);
		printed_take(&printed, stream, n, ms);
		buf_add(&streams[stream], bytes, n);
	}
	printed_finish(&printed, &log);
	check(&log, streams, secrets, len, room);
	for (int i = 0; i < PRINTED_STREAMS; i++)
		buf_free(&streams[i]);
	printed_log_free(&log);
	printed_free(&printed);
	mask_free(&mask);
	return 0;
}
