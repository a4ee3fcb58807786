#include "worker/log_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/leb128.h"

#define LEVEL_PRINTED  "info"
#define LEVEL_PLATFORM "platform"

/* Goes through the notes of when bytes were printed. */
struct clockwork {
	struct str times;
	size_t taken;         /* of times */
	uint64_t next_offset; /* from here on the next note holds; UINT64_MAX: there is none */
	uint64_t next_ms, now_ms;
};

static void read_note(struct clockwork *c)
{
	uint64_t bytes, ms;
	size_t n = leb128_get(c->times.data + c->taken, c->times.len - c->taken, &bytes);
	size_t m = n > 0 ? leb128_get(c->times.data + c->taken + n, c->times.len - c->taken - n, &ms) : 0;

	if (m == 0 || ms > INT32_MAX || bytes > UINT32_MAX) {
		c->next_offset = UINT64_MAX;
		return;
	}
	c->taken += n + m;
	c->next_offset += bytes;
	c->next_ms = c->now_ms + ms;
}

/* When the byte there was printed; offsets must not go back. */
static uint64_t time_of(struct clockwork *c, uint64_t offset)
{
	while (c->next_offset <= offset) {
		c->now_ms = c->next_ms;
		read_note(c);
	}
	return c->now_ms;
}

uint64_t log_lines_lost(const struct log_source *s)
{
	return s->log_bytes > s->log.len ? s->log_bytes - s->log.len : 0;
}

static void tell_platform(int64_t at_us, void (*take)(const struct log_line *line, void *arg), void *arg, const char *text)
{
	struct log_line line = {at_us, LEVEL_PLATFORM, STR(text)};

	take(&line, arg);
}

static void tell_printed(const struct log_source *s, void (*take)(const struct log_line *line, void *arg), void *arg)
{
	struct clockwork c = {.times = s->times};
	size_t at = 0;

	read_note(&c);
	while (at < s->log.len) {
		const char *end = memchr(s->log.data + at, '\n', s->log.len - at);
		size_t len = end != NULL ? (size_t)(end - s->log.data) - at : s->log.len - at;
		struct log_line line = {
			.at_us = s->requested_at_us + (int64_t)time_of(&c, at) * 1000,
			.level = LEVEL_PRINTED,
			.text = {s->log.data + at, (uint32_t)len},
		};
		take(&line, arg);
		at += len + 1;
	}
}

void log_lines(const struct log_source *s, void (*take)(const struct log_line *line, void *arg), void *arg)
{
	int64_t end_us = s->requested_at_us + s->response_us;
	char text[2048];

	if (s->orphan_bytes > 0) {
		snprintf(text, sizeof(text), "%" PRIu64 " bytes that were printed before this invocation are not kept",
			 s->orphan_bytes);
		tell_platform(s->requested_at_us, take, arg, text);
	}
	tell_printed(s, take, arg);
	if (log_lines_lost(s) > 0) {
		snprintf(text, sizeof(text), "the log is cut off here: %" PRIu64 " more bytes were printed (log_bytes)",
			 log_lines_lost(s));
		tell_platform(end_us, take, arg, text);
	}
	if (s->error_code[0] != '\0') {
		snprintf(text, sizeof(text), "%s: %s", s->error_code, s->error_message);
		tell_platform(end_us, take, arg, text);
	}
}
