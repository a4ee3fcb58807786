#include "output/printed.h"

#include <stdbool.h>
#include <string.h>

#include "base/leb128.h"
#include "base/trim.h"

/* The maximum per stream and log. Later output has the time and the place in the order of the last note, and belongs to no
 * entry. */
#define NOTES_MAX 65536
#define TIMES_MAX 8192 /* in bytes of a log */

static const struct mark {
	const char *bytes;
	enum { SWITCH, LEVEL, INVOKE, FAILED } kind;
	unsigned level; /* 0 ends an entry, others begin one */
} marks[] = {
	{PRINTED_SWITCH, SWITCH, 0},        {PRINTED_MARK("level0"), LEVEL, 0}, {PRINTED_MARK("level1"), LEVEL, 1},
	{PRINTED_MARK("level2"), LEVEL, 2}, {PRINTED_MARK("level3"), LEVEL, 3}, {PRINTED_MARK("level4"), LEVEL, 4},
	{PRINTED_MARK("level5"), LEVEL, 5}, {PRINTED_MARK("level6"), LEVEL, 6}, {PRINTED_INVOKE, INVOKE, 0},
	{PRINTED_FAILED, FAILED, 0},
};

void printed_free(struct printed *p)
{
	for (int i = 0; i < PRINTED_STREAMS; i++) {
		buf_free(&p->texts[i].data);
		buf_free(&p->texts[i].end);
		buf_free(&p->texts[i].notes);
		buf_free(&p->texts[i].scan.spans);
	}
}

void printed_log_free(struct printed_log *log)
{
	buf_free(&log->text);
	buf_free(&log->times);
	buf_free(&log->streams);
	buf_free(&log->levels);
}

void printed_trim(struct printed *p, struct printed_log *log)
{
	for (int i = 0; i < PRINTED_STREAMS; i++) {
		trim_buf(&p->texts[i].data);
		trim_buf(&p->texts[i].end);
		trim_buf(&p->texts[i].notes);
		trim_buf(&p->texts[i].scan.spans);
	}
	printed_log_trim(log);
}

void printed_log_trim(struct printed_log *log)
{
	trim_buf(&log->text);
	trim_buf(&log->times);
	trim_buf(&log->streams);
	trim_buf(&log->levels);
}

/* ---- Reading ---- */

void printed_begin(struct printed *p, size_t room, struct mask *mask, bool follows)
{
	p->room = room;
	p->mask = mask;
	p->follows = follows;
	p->late_lost = 0;
	p->failures = 0;
	for (int i = 0; i < PRINTED_STREAMS; i++) {
		struct printed_text *t = &p->texts[i];
		buf_reset(&t->data);
		buf_reset(&t->end);
		buf_reset(&t->notes);
		mask_scan_begin(&t->scan);
		t->kept = t->pending = t->own = t->late = 0;
		t->lost = 0;
		t->late_entries = 0;
		t->begun = false;
		t->now = (struct printed_note){0};
	}
}

static size_t note_count(const struct printed_text *t)
{
	return t->notes.len / sizeof(struct printed_note);
}

static struct printed_note *note_at(const struct printed_text *t, size_t i)
{
	return (struct printed_note *)(void *)t->notes.data + i;
}

static void begin_entry(struct printed_text *t, unsigned level)
{
	t->now.entries++;
	t->now.level = level;
}

static void note(struct printed_text *t, uint32_t ms)
{
	size_t count = note_count(t) - t->own; /* late output has notes of its own */
	const struct printed_note *last = count > 0 ? note_at(t, note_count(t) - 1) : NULL;

	if (count == NOTES_MAX ||
	    (last != NULL && last->switches == t->now.switches && last->ms == ms && last->entries == t->now.entries))
		return;
	t->now.offset = (uint32_t)t->kept;
	t->now.ms = ms;
	if (count == NOTES_MAX - 1)
		begin_entry(t, 0);
	buf_add(&t->notes, &t->now, sizeof(t->now));
}

static struct str end_of(const struct buf *b, size_t len)
{
	size_t size = MIN(len, PRINTED_END_SIZE);

	return (struct str){buf_str(b) + (len - size), (uint32_t)size};
}

/* Of bytes that are lost, and of the text before them, keeps the end. */
static void lose(struct printed_text *t, const char *from, size_t n)
{
	size_t size = MIN(n, PRINTED_END_SIZE);
	struct str before = end_of(&t->data, t->kept);

	if (t->lost == 0)
		buf_add(&t->end, before.data, before.len);
	buf_add(&t->end, from + (n - size), size);
	if (t->end.len > 3 * PRINTED_END_SIZE) /* now and then, because few bytes may come at a time */
		buf_consume(&t->end, t->end.len - PRINTED_END_SIZE);
	t->lost += n;
}

/* Keeps as much as there is room for, after what was kept before. */
static void keep(struct printed *p, struct printed_text *t, const char *from, size_t n, uint32_t ms)
{
	size_t kept = MIN(n, p->room);

	if (kept > 0)
		note(t, ms);
	if (kept > 0 && from != t->data.data + t->kept)
		memmove(t->data.data + t->kept, from, kept);
	mask_scan(p->mask, &t->scan, t->data.data + t->kept, kept);
	t->kept += kept;
	p->room -= kept;
	if (n > kept)
		lose(t, from + kept, n - kept);
}

char *printed_reserve(struct printed *p, enum printed_stream stream, size_t size)
{
	return buf_reserve(&p->texts[stream].data, size);
}

/* The mark whose first bytes these are. NULL: there is none. Most bytes that are not of a mark differ from its head. */
static const struct mark *find_mark(const char *bytes, size_t len)
{
	if (memcmp(bytes, PRINTED_HEAD, MIN(len, sizeof(PRINTED_HEAD) - 1)) != 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		if (memcmp(bytes, marks[i].bytes, len) == 0)
			return &marks[i];
	return NULL;
}

/* The invocation begins here in this stream. Its room is not used up by what was printed before. */
static void begin_here(struct printed *p, struct printed_text *t)
{
	p->room += t->kept - t->late;
	p->late_lost += t->lost;
	t->lost = 0;
	buf_reset(&t->end);
	t->late = t->kept;
	t->own = note_count(t);
	begin_entry(t, 0);
	t->late_entries = t->now.entries;
}

void printed_late(struct printed *p)
{
	for (int i = 0; i < PRINTED_STREAMS && p->follows; i++)
		begin_here(p, &p->texts[i]);
}

void printed_cut(struct printed *p, enum printed_stream stream)
{
	struct mask_scan *scan = &p->texts[stream].scan;

	mask_scan_end(p->mask, scan, true);
	mask_scan_restart(scan);
}

void printed_lose(struct printed *p, uint64_t bytes)
{
	p->texts[PRINTED_STDOUT].lost += bytes;
}

static void pass_mark(struct printed *p, struct printed_text *t, const struct mark *mark)
{
	switch (mark->kind) {
	case SWITCH:
		t->now.switches++;
		break;
	case LEVEL:
		begin_entry(t, mark->level);
		break;
	case INVOKE: /* the agent writes one; more are the function's */
		if (p->follows && !t->begun)
			begin_here(p, t);
		t->begun = true;
		break;
	case FAILED:
		p->failures++;
		break;
	}
}

void printed_take(struct printed *p, enum printed_stream stream, size_t n, int64_t ms)
{
	struct printed_text *t = &p->texts[stream];
	const char *at = t->data.data + t->kept, *end = at + t->pending + n;

	t->pending = 0;
	while (at < end) {
		const char *found = memchr(at, PRINTED_HEAD[0], (size_t)(end - at));
		keep(p, t, at, (size_t)((found != NULL ? found : end) - at), (uint32_t)ms);
		if (found == NULL)
			break;
		size_t there = MIN((size_t)(end - found), PRINTED_MARK_SIZE);
		const struct mark *mark = find_mark(found, there);
		if (mark != NULL && there < PRINTED_MARK_SIZE) { /* the rest of the mark is still to come */
			memmove(t->data.data + t->kept, found, there);
			t->pending = there;
			break;
		}
		if (mark != NULL)
			pass_mark(p, t, mark);
		else
			keep(p, t, found, 1, (uint32_t)ms);
		at = found + (mark != NULL ? PRINTED_MARK_SIZE : 1);
	}
	t->data.len = t->kept + t->pending;
}

uint64_t printed_bytes(const struct printed *p)
{
	uint64_t bytes = 0;

	for (int i = 0; i < PRINTED_STREAMS; i++)
		bytes += p->texts[i].kept + p->texts[i].pending + p->texts[i].lost;
	return bytes;
}

struct str printed_end(const struct printed *p, enum printed_stream stream)
{
	const struct printed_text *t = &p->texts[stream];

	return t->lost > 0 ? end_of(&t->end, t->end.len) : end_of(&t->data, t->kept);
}

/* ---- One log of two ---- */

/* Masking only shortens a text, because MASK is no longer than any secret. */
static void mask_text(struct printed_text *t)
{
	size_t at = 0, to = 0, i = 0;

	for (size_t k = 0; k < mask_span_count(&t->scan); k++) {
		const struct mask_span *span = mask_span_at(&t->scan, k);
		size_t stars = MIN(span->to - span->from, strlen(MASK)), gap = span->from - at;
		for (; i < note_count(t) && note_at(t, i)->offset <= span->from; i++)
			note_at(t, i)->offset -= (uint32_t)(at - to);
		memmove(t->data.data + to, t->data.data + at, gap);
		memcpy(t->data.data + to + gap, MASK, stars);
		to += gap + stars;
		at = span->to;
		for (; i < note_count(t) && note_at(t, i)->offset < at; i++)
			note_at(t, i)->offset = (uint32_t)to;
	}
	for (; i < note_count(t); i++)
		note_at(t, i)->offset -= (uint32_t)(at - to);
	memmove(t->data.data + to, t->data.data + at, t->kept - at);
	t->kept -= at - to;
}

/* Walks through the parts of both texts. */
struct merge {
	const struct printed *printed;
	size_t next[PRINTED_STREAMS]; /* index of the current note */
	size_t end[PRINTED_STREAMS];  /* where the notes end */
	int64_t later_ms;             /* to be added to their times */
	struct printed_log *log;
	enum printed_stream stream;        /* stream of the current run */
	size_t run;                        /* its bytes so far */
	size_t timed;                      /* number of bytes of the log whose times are written */
	uint32_t ms;                       /* the time of the last of them */
	size_t levelled;                   /* number of bytes of the log before the last mark of a level */
	uint32_t entries[PRINTED_STREAMS]; /* as in the last note of each stream */
};

static bool comes_first(const struct printed_note *a, const struct printed_note *b)
{
	return a->switches != b->switches ? a->switches < b->switches : a->ms <= b->ms;
}

/* The stream whose part is next; PRINTED_STREAMS when there is none. */
static enum printed_stream choose(const struct merge *m)
{
	const struct printed_note *next = NULL;
	enum printed_stream found = PRINTED_STREAMS;

	for (enum printed_stream i = 0; i < PRINTED_STREAMS; i++) {
		const struct printed_text *t = &m->printed->texts[i];
		if (m->next[i] == m->end[i] || (next != NULL && comes_first(next, note_at(t, m->next[i]))))
			continue;
		next = note_at(t, m->next[i]);
		found = i;
	}
	return found;
}

static void add_time(struct merge *m, uint32_t ms)
{
	struct buf *times = &m->log->times;

	if (times->len >= TIMES_MAX || (times->len > 0 && ms <= m->ms))
		return;
	leb128_add(times, m->log->text.len - m->timed);
	leb128_add(times, ms - m->ms);
	m->timed = m->log->text.len;
	m->ms = ms;
}

static void add_level(struct merge *m, enum printed_stream stream, const struct printed_note *n)
{
	if (n->entries == m->entries[stream])
		return;
	leb128_add(&m->log->levels, m->log->text.len - m->levelled);
	leb128_add(&m->log->levels, n->level * PRINTED_STREAMS + stream);
	m->levelled = m->log->text.len;
	m->entries[stream] = n->entries;
}

static void add_part(struct merge *m, enum printed_stream stream)
{
	const struct printed_text *t = &m->printed->texts[stream];
	size_t i = m->next[stream]++;
	const struct printed_note *n = note_at(t, i);
	size_t from = n->offset, to = i + 1 < note_count(t) ? note_at(t, i + 1)->offset : t->kept;

	if (from == to)
		return;
	add_time(m, (uint32_t)MIN(n->ms + m->later_ms, INT32_MAX));
	add_level(m, stream, n);
	if (stream != m->stream) {
		leb128_add(&m->log->streams, m->run);
		m->run = 0;
	}
	m->stream = stream;
	m->run += to - from;
	buf_add(&m->log->text, t->data.data + from, to - from);
}

static void end_text(struct printed *p, struct printed_text *t)
{
	if (t->pending > 0) /* it was not a mark */
		keep(p, t, t->data.data + t->kept, t->pending, note_count(t) > 0 ? note_at(t, note_count(t) - 1)->ms : 0);
	t->pending = 0;
	mask_scan_end(p->mask, &t->scan, t->lost > 0);
	if (mask_span_count(&t->scan) > 0)
		mask_text(t);
}

/* Makes a log of the parts that m has. */
static void add_parts(struct merge *m)
{
	struct printed_log *log = m->log;
	enum printed_stream stream;

	buf_reset(&log->text);
	buf_reset(&log->times);
	buf_reset(&log->streams);
	buf_reset(&log->levels);
	while ((stream = choose(m)) != PRINTED_STREAMS)
		add_part(m, stream);
}

void printed_finish(struct printed *p, struct printed_log *log, struct printed_log *late, size_t late_room, int64_t late_ms)
{
	struct merge own = {.printed = p, .log = log, .stream = PRINTED_STDOUT};
	struct merge before = {.printed = p, .log = late, .stream = PRINTED_STDOUT, .later_ms = MAX(late_ms, 0)};

	for (int i = 0; i < PRINTED_STREAMS; i++) {
		struct printed_text *t = &p->texts[i];
		end_text(p, t);
		before.end[i] = own.next[i] = MIN(t->own, note_count(t));
		own.end[i] = note_count(t);
		own.entries[i] = t->late_entries;
	}
	add_parts(&own);
	log->bytes = log->text.len + p->texts[PRINTED_STDOUT].lost + p->texts[PRINTED_STDERR].lost;
	if (late == NULL)
		return;
	add_parts(&before);
	late->bytes = late->text.len + p->late_lost;
	late->text.len = MIN(late->text.len, late_room);
}
