#include "api/log_lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/leb128.h"

#define STREAMS 2

/* The numbers are those of the agents' marks (runtimes/protocol.md), but for the platform's. */
enum level {
	LEVEL_OF_STREAM,
	LEVEL_TRACE,
	LEVEL_DEBUG,
	LEVEL_INFO,
	LEVEL_WARNING,
	LEVEL_ERROR,
	LEVEL_CRITICAL,
	LEVEL_PLATFORM,
};
static const char *const levels[] = {
	[LEVEL_TRACE] = "trace", [LEVEL_DEBUG] = "debug",       [LEVEL_INFO] = "info",         [LEVEL_WARNING] = "warning",
	[LEVEL_ERROR] = "error", [LEVEL_CRITICAL] = "critical", [LEVEL_PLATFORM] = "platform",
};
static const enum level of_stream[STREAMS] = {LEVEL_INFO, LEVEL_ERROR};

const char *log_lines_level(size_t i)
{
	return i + LEVEL_TRACE < ARRAY_SIZE(levels) ? levels[i + LEVEL_TRACE] : NULL;
}

bool log_lines_find_level(const char *name, size_t *found)
{
	for (size_t i = 0; log_lines_level(i) != NULL; i++) {
		if (strcmp(log_lines_level(i), name) == 0) {
			*found = i;
			return true;
		}
	}
	return false;
}

/* Walks through the times at which bytes were printed. */
struct clockwork {
	struct str times;
	size_t taken;         /* position in the encoded times */
	uint64_t next_offset; /* the offset at which the next time begins; UINT64_MAX: there is none */
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

/* The time at which the byte at offset was printed; offsets must not decrease. */
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

/* The receiver of the lines. */
struct listener {
	bool (*take)(const struct log_line *line, void *arg);
	void *arg;
	size_t least;
	bool has_enough;
};

static bool wants(const struct listener *l, const char *level)
{
	for (size_t i = l->least; log_lines_level(i) != NULL; i++)
		if (log_lines_level(i) == level)
			return true;
	return false;
}

static void emit(struct listener *l, const struct log_line *line)
{
	if (!l->has_enough && wants(l, line->level))
		l->has_enough = !l->take(line, l->arg);
}

static void emit_platform(struct listener *l, int64_t at_us, const char *text)
{
	emit(l, &(struct log_line){.at_us = at_us, .level = levels[LEVEL_PLATFORM], .text = STR(text)});
}

/* The end of the last whole character before text[max]. */
static uint32_t piece_of(const char *text, uint32_t max)
{
	uint32_t len = max;

	while (max - len < 3 && ((unsigned char)text[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static void emit_in_pieces(struct listener *l, const struct log_line *line)
{
	struct log_line piece = *line;
	struct str rest = line->text;

	piece.continues = true;
	while (rest.len > LOG_LINE_BYTES) {
		piece.text = (struct str){rest.data, piece_of(rest.data, LOG_LINE_BYTES)};
		emit(l, &piece);
		rest = (struct str){rest.data + piece.text.len, rest.len - piece.text.len};
	}
	piece.text = rest;
	piece.continues = false;
	emit(l, &piece);
}

/* ---- Streams ---- */

/* Walks through the bytes of one stream. */
struct reel {
	const struct log_source *source;
	int stream;
	size_t taken;    /* position in source->streams */
	int run_stream;  /* of the run at hand */
	size_t from, to; /* the rest of the current run, as offsets in the log */
	size_t begun;    /* offset at which next begins */
	struct clockwork clock;
	size_t read;           /* position in source->levels */
	size_t read_offset;    /* offset of the mark read last, of either stream */
	enum level level;      /* of the current entry */
	size_t mark_offset;    /* of the stream's next mark; SIZE_MAX: there is none */
	enum level next_level; /* behind it */
	struct buf line;       /* the current line, when it is made of several runs */
	struct log_line next;
	bool has_next;
};

static void next_run(struct reel *r)
{
	struct str streams = r->source->streams;
	uint64_t bytes;
	size_t n = leb128_get(streams.data + r->taken, streams.len - r->taken, &bytes);
	size_t left = r->source->log.len - r->to;

	r->run_stream = 1 - r->run_stream;
	r->taken += n;
	r->from = r->to;
	r->to += n > 0 ? MIN(bytes, left) : left;
}

/* Moves on to the next bytes of the stream. False when there are none. */
static bool seek(struct reel *r)
{
	while (r->from == r->to || r->run_stream != r->stream) {
		if (r->to == r->source->log.len)
			return false;
		next_run(r);
	}
	return true;
}

/* Reads on to the stream's next mark of a level. Of marks that make no sense, and all that follow them, there are none. */
static void read_mark(struct reel *r)
{
	struct str marks = r->source->levels;
	uint64_t bytes, value;

	do {
		size_t n = leb128_get(marks.data + r->read, marks.len - r->read, &bytes);
		size_t m = n > 0 ? leb128_get(marks.data + r->read + n, marks.len - r->read - n, &value) : 0;
		if (m == 0 || bytes > UINT32_MAX || value / STREAMS >= LEVEL_PLATFORM) {
			r->mark_offset = SIZE_MAX;
			return;
		}
		r->read += n + m;
		r->read_offset += bytes;
	} while ((int)(value % STREAMS) != r->stream);
	r->mark_offset = r->read_offset;
	r->next_level = (enum level)(value / STREAMS);
}

static void pass_marks(struct reel *r)
{
	while (r->mark_offset <= r->from) {
		r->level = r->next_level;
		read_mark(r);
	}
}

/* Adds to the next line, which needs memory only if it is in several places of the log. */
static void add_text(struct reel *r, struct str text)
{
	struct str *line = &r->next.text;

	if (line->len == 0) {
		*line = text;
		return;
	}
	if (r->line.len == 0)
		buf_add(&r->line, line->data, line->len);
	buf_add(&r->line, text.data, text.len);
	*line = (struct str){r->line.data, (uint32_t)r->line.len};
}

/*
 * Sets r->next to the next line, if there is one. An entry of a level is one line, up to the stream's next mark, without its
 * last newline. Other lines end at a newline, or where an entry begins.
 */
static void next_line(struct reel *r)
{
	r->has_next = seek(r);
	if (!r->has_next)
		return;
	pass_marks(r);
	r->next = (struct log_line){
		.at_us = r->source->requested_at_us + (int64_t)time_of(&r->clock, r->from) * 1000,
		.level = levels[r->level != LEVEL_OF_STREAM ? r->level : of_stream[r->stream]],
		.late = r->source->late,
	};
	r->begun = r->from;
	buf_reset(&r->line);
	do {
		const char *text = r->source->log.data + r->from, *end = NULL;
		size_t len = MIN(r->to, r->mark_offset) - r->from;
		if (r->level == LEVEL_OF_STREAM)
			end = memchr(text, '\n', len);
		if (end != NULL)
			len = (size_t)(end - text);
		add_text(r, (struct str){text, (uint32_t)len});
		r->from += len + (end != NULL);
		if (end != NULL)
			return;
	} while (seek(r) && r->from < r->mark_offset);
	if (r->level != LEVEL_OF_STREAM && r->next.text.data[r->next.text.len - 1] == '\n')
		r->next.text.len--;
}

static void tell_printed(const struct log_source *s, struct listener *l)
{
	struct reel reels[STREAMS];

	for (int i = 0; i < STREAMS; i++) {
		reels[i] = (struct reel){.source = s, .stream = i, .run_stream = 1, .clock = {.times = s->times}};
		read_note(&reels[i].clock);
		read_mark(&reels[i]);
		next_line(&reels[i]);
	}
	while (!l->has_enough && (reels[0].has_next || reels[1].has_next)) {
		bool second = !reels[0].has_next || (reels[1].has_next && reels[1].begun < reels[0].begun);
		emit_in_pieces(l, &reels[second].next);
		next_line(&reels[second]);
	}
	for (int i = 0; i < STREAMS; i++)
		buf_free(&reels[i].line);
}

void log_lines(const struct log_source *s, bool (*take)(const struct log_line *line, void *arg), void *arg)
{
	struct listener l = {.take = take, .arg = arg, .least = s->least};
	int64_t end_us = s->requested_at_us + s->response_us;
	char text[2048];

	tell_printed(s, &l);
	if (log_lines_lost(s) > 0) {
		snprintf(text, sizeof(text), "log_bytes is reached: %" PRIu64 " more bytes were printed and not kept",
			 log_lines_lost(s));
		emit_platform(&l, end_us, text);
	}
	if (s->error_code[0] != '\0' && !s->late) {
		snprintf(text, sizeof(text), "%s: %s", s->error_code, s->error_message);
		emit_platform(&l, end_us, text);
	}
}
