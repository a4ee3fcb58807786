/*
 * What a function prints, in pieces and from two streams at once. The input's first byte is the room there is, in units of
 * eight bytes; then comes the length of the secrets and the secrets, with NULs between; then pieces: a byte for the stream (bit
 * 7) and the length, and the bytes. Without secrets, and where all had room, each stream comes out as it went in, but for its
 * marks, and its entries begin and end where the marks of levels were.
 */
#include <assert.h>
#include <string.h>

#include "base/leb128.h"
#include "base/mem.h"
#include "fuzz.h"
#include "output/printed.h"

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

/* One stream: its text, and where entries begin or end. */
struct side {
	struct buf text, turns; /* of struct turn */
};

struct turn {
	size_t at, level;
};

static void side_free(struct side *s)
{
	buf_free(&s->text);
	buf_free(&s->turns);
}

/* Of several marks at one place the last one counts. */
static void add_turn(struct side *s, size_t at, size_t level)
{
	struct turn turn = {at, level}, last;

	if (s->turns.len > 0) {
		memcpy(&last, s->turns.data + s->turns.len - sizeof(last), sizeof(last));
		if (last.at == at)
			s->turns.len -= sizeof(last);
	}
	buf_add(&s->turns, &turn, sizeof(turn));
}

/* Walks through the levels of a log. */
struct walk {
	const struct buf *levels;
	size_t read, at; /* at: SIZE_MAX at the end */
	uint64_t mark;
};

static void walk_on(struct walk *w)
{
	uint64_t bytes;
	size_t left = w->levels->len - w->read;

	if (left == 0) {
		w->at = SIZE_MAX;
		return;
	}
	size_t n = leb128_get(w->levels->data + w->read, left, &bytes);
	size_t m = leb128_get(w->levels->data + w->read + n, left - n, &w->mark);
	assert(n > 0 && m > 0 && w->mark / PRINTED_STREAMS <= 6);
	w->read += n + m;
	w->at += bytes;
}

/* The log's bytes and entries, each stream for itself again. */
static void part(const struct printed_log *log, struct side out[PRINTED_STREAMS])
{
	struct walk w = {.levels = &log->levels};
	size_t at = 0, read = 0;

	walk_on(&w);
	for (unsigned stream = PRINTED_STDOUT; at < log->text.len; stream = 1 - stream) {
		uint64_t bytes = log->text.len - at;
		size_t n = leb128_get(buf_str(&log->streams) + read, log->streams.len - read, &bytes);
		read += n;
		if (n == 0) /* the last run goes to the end */
			bytes = log->text.len - at;
		assert(bytes <= log->text.len - at);
		for (; w.at < at + bytes; walk_on(&w)) {
			assert(w.mark % PRINTED_STREAMS == stream);
			add_turn(&out[stream], out[stream].text.len + w.at - at, w.mark / PRINTED_STREAMS);
		}
		buf_add(&out[stream].text, log->text.data + at, bytes);
		at += bytes;
	}
	assert(read == log->streams.len && w.at == SIZE_MAX);
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

static bool is_mark(const char *bytes, size_t len)
{
	static const char level[] = PRINTED_MARK("level0");

	if (len < PRINTED_MARK_SIZE)
		return false;
	return memcmp(bytes, PRINTED_SWITCH, PRINTED_MARK_SIZE) == 0 || memcmp(bytes, PRINTED_INVOKE, PRINTED_MARK_SIZE) == 0 ||
	       memcmp(bytes, PRINTED_FAILED, PRINTED_MARK_SIZE) == 0 ||
	       (memcmp(bytes, level, 13) == 0 && bytes[13] >= '0' && bytes[13] <= '6' &&
		memcmp(bytes + 14, level + 14, 2) == 0);
}

/* What of a stream that was printed becomes its text and its entries. */
static void strip(const struct buf *printed, struct side *to)
{
	size_t at = 0;

	while (at < printed->len) {
		const char *bytes = printed->data + at;
		bool mark = is_mark(bytes, printed->len - at);
		if (!mark)
			buf_add(&to->text, bytes, 1);
		else if (memcmp(bytes, PRINTED_MARK("level0"), 13) == 0)
			add_turn(to, to->text.len, (size_t)(bytes[13] - '0'));
		at += mark ? PRINTED_MARK_SIZE : 1;
	}
	struct turn last;
	if (to->turns.len > 0) {
		memcpy(&last, to->turns.data + to->turns.len - sizeof(last), sizeof(last));
		if (last.at == to->text.len) /* nothing came behind the mark */
			to->turns.len -= sizeof(last);
	}
}

static bool is_same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void check_secrets(const struct buf *out, const char *secrets, size_t len)
{
	for (const char *s = secrets; s < secrets + len; s += strlen(s) + 1)
		if (s[0] != '\0' && strchr(s, MASK[0]) == NULL && out->len > 0)
			assert(memmem(out->data, out->len, s, strlen(s)) == NULL);
}

static void check(const struct printed_log *log, struct buf in[PRINTED_STREAMS], const char *secrets, size_t len, size_t room)
{
	struct side out[PRINTED_STREAMS] = {{{0}}};

	assert(log->text.len <= room && log->bytes >= log->text.len);
	check_times(log);
	part(log, out);
	for (int i = 0; i < PRINTED_STREAMS; i++) {
		AUTO(side_free) struct side expected = {{0}};
		strip(&in[i], &expected);
		if (len == 0 && log->bytes == log->text.len)
			assert(is_same(&out[i].text, &expected.text) && is_same(&out[i].turns, &expected.turns));
		check_secrets(&out[i].text, secrets, len);
		side_free(&out[i]);
	}
}

/* The same behind another invocation: each byte is in one of the two logs, or counted there. */
static void check_late(const struct buf streams[PRINTED_STREAMS], struct mask *mask, size_t room, uint64_t bytes)
{
	struct printed printed = {0};
	struct printed_log log = {0}, late = {0};

	printed_begin(&printed, room, mask, true);
	for (enum printed_stream i = 0; i < PRINTED_STREAMS; i++) {
		memcpy(printed_reserve(&printed, i, streams[i].len + 1), buf_str(&streams[i]), streams[i].len);
		printed_take(&printed, i, streams[i].len, 0);
	}
	printed_finish(&printed, &log, &late, room, 0);
	assert(log.text.len <= room && late.text.len <= room);
	assert(mask != NULL || log.bytes + late.bytes == bytes);
	printed_log_free(&late);
	printed_log_free(&log);
	printed_free(&printed);
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
	printed_begin(&printed, room, mask, false);
	for (int64_t ms = 0; in.size > 0; ms++) {
		uint8_t head = take_byte(&in);
		enum printed_stream stream = head >> 7;
		n = head & 0x7f;
		bytes = take(&in, &n);
		memcpy(printed_reserve(&printed, stream, n + 1), bytes, n);
		printed_take(&printed, stream, n, ms);
		buf_add(&streams[stream], bytes, n);
	}
	printed_finish(&printed, &log, NULL, 0, 0);
	check(&log, streams, secrets, len, room);
	check_late(streams, mask, room, log.bytes);
	for (int i = 0; i < PRINTED_STREAMS; i++)
		buf_free(&streams[i]);
	printed_log_free(&log);
	printed_free(&printed);
	mask_free(&mask);
	return 0;
}
