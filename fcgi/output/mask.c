/*
 * All secrets are searched for at once, with the automaton of Aho and Corasick ("Efficient string matching", 1975). Its states
 * are the prefixes of the secrets, as a tree; the state after some text is the longest prefix of a secret with which the text
 * ends. If no secret continues with the next byte, the state's fallback is tried, which is the next shorter such prefix. Each
 * fallback shortens the prefix and each byte lengthens it by one, so there are no more fallbacks than bytes. There are no more
 * states than bytes in the secrets, which are bounded when a function is deployed (ipc/function.def).
 */
#include "output/mask.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define ROOT 0

/* States are sorted by depth; the successors of a state are adjacent and sorted by their bytes. */
struct state {
	uint32_t next; /* index of the first successor */
	uint32_t fallback;
	uint32_t depth;     /* length of the prefix */
	uint32_t ends;      /* length of the longest secret that ends in this state; 0: none does */
	uint16_t nexts;     /* number of successors */
	unsigned char byte; /* the byte that leads to this state */
};

struct mask {
	struct buf secrets;
	struct state *states; /* NULL until the first text is scanned */
	uint32_t count;
	uint32_t from_root[256]; /* successors of the root by byte, because most bytes of a text are looked up there */
};

struct mask *mask_new(const char *secrets, size_t len)
{
	if (len == 0)
		return NULL;
	struct mask *m = mem_alloc(sizeof(*m));
	buf_add(&m->secrets, secrets, len);
	return m;
}

void mask_free(struct mask **mask)
{
	if (*mask == NULL)
		return;
	buf_free(&(*mask)->secrets);
	mem_free(&(*mask)->states);
	mem_free(mask);
}

/* Returns ROOT when there is no successor for that byte. */
static uint32_t find_next(const struct state *s, const struct state *states, unsigned char byte)
{
	uint32_t from = s->next, to = s->next + s->nexts;

	while (from < to) {
		uint32_t middle = (from + to) / 2;
		if (states[middle].byte == byte)
			return middle;
		if (states[middle].byte < byte)
			from = middle + 1;
		else
			to = middle;
	}
	return ROOT;
}

static uint32_t step(const struct mask *m, uint32_t state, unsigned char byte)
{
	for (; state != ROOT; state = m->states[state].fallback) {
		uint32_t next = find_next(&m->states[state], m->states, byte);
		if (next != ROOT)
			return next;
	}
	return m->from_root[byte];
}

/* ---- Building ---- */

/* The range of sorted secrets that begin with a state's prefix. */
struct range {
	uint32_t from, to;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **sort(const struct buf *secrets, uint32_t *count)
{
	const char **sorted = mem_alloc(secrets->len * sizeof(*sorted));

	*count = 0;
	for (const char *s = secrets->data; s < secrets->data + secrets->len; s += strlen(s) + 1)
		sorted[(*count)++] = s;
	qsort(sorted, *count, sizeof(*sorted), compare);
	return sorted;
}

/* Adds the successors of one state; all states of lower depth already have theirs. */
static void expand(struct mask *m, uint32_t at, const char **secrets, struct range *ranges)
{
	struct state *s = &m->states[at];
	uint32_t i = ranges[at].from;

	s->next = m->count;
	for (; i < ranges[at].to && secrets[i][s->depth] == '\0'; i++)
		s->ends = s->depth;
	if (s->ends == 0)
		s->ends = m->states[s->fallback].ends;
	while (i < ranges[at].to) {
		unsigned char byte = (unsigned char)secrets[i][s->depth];
		uint32_t from = i;
		while (i < ranges[at].to && (unsigned char)secrets[i][s->depth] == byte)
			i++;
		m->states[m->count] = (struct state){
			.fallback = at == ROOT ? ROOT : step(m, s->fallback, byte), .depth = s->depth + 1, .byte = byte};
		ranges[m->count++] = (struct range){from, i};
		s->nexts++;
	}
}

static void build(struct mask *m)
{
	uint32_t secret_count;
	AUTO(mem_free) const char **secrets = sort(&m->secrets, &secret_count);
	AUTO(mem_free) struct range *ranges = mem_alloc((m->secrets.len + 1) * sizeof(*ranges));

	m->states = mem_alloc((m->secrets.len + 1) * sizeof(*m->states));
	m->count = 1;
	ranges[ROOT] = (struct range){0, secret_count};
	for (uint32_t at = ROOT; at < m->count; at++) {
		expand(m, at, secrets, ranges);
		if (at == ROOT)
			for (uint32_t next = 1; next < m->count; next++)
				m->from_root[m->states[next].byte] = next;
	}
	m->states = mem_realloc(m->states, m->count * sizeof(*m->states));
}

/* ---- Looking ---- */

size_t mask_span_count(const struct mask_scan *scan)
{
	return scan->spans.len / sizeof(struct mask_span);
}

const struct mask_span *mask_span_at(const struct mask_scan *scan, size_t i)
{
	return (const struct mask_span *)(const void *)scan->spans.data + i;
}

/* Adds a span, merging it with spans that it overlaps; none of these ends after it. */
static void add_span(struct mask_scan *scan, struct mask_span span)
{
	size_t count;

	while ((count = mask_span_count(scan)) > 0 && mask_span_at(scan, count - 1)->to > span.from) {
		span.from = MIN(span.from, mask_span_at(scan, count - 1)->from);
		scan->spans.len -= sizeof(span);
	}
	buf_add(&scan->spans, &span, sizeof(span));
}

void mask_scan_begin(struct mask_scan *scan)
{
	buf_reset(&scan->spans);
	scan->state = ROOT;
	scan->at = 0;
}

void mask_scan(struct mask *m, struct mask_scan *scan, const char *text, size_t len)
{
	if (m == NULL)
		return;
	if (m->states == NULL)
		build(m);
	for (const char *end = text + len; text < end; text++) {
		scan->state = step(m, scan->state, (unsigned char)*text);
		scan->at++;
		uint32_t ends = m->states[scan->state].ends;
		if (ends > 0)
			add_span(scan, (struct mask_span){scan->at - ends, scan->at});
	}
}

void mask_scan_end(const struct mask *m, struct mask_scan *scan, bool cut)
{
	if (cut && scan->state != ROOT)
		add_span(scan, (struct mask_span){scan->at - m->states[scan->state].depth, scan->at});
}

void mask_scan_restart(struct mask_scan *scan)
{
	scan->state = ROOT;
}

static void scan_clear(struct mask_scan *scan)
{
	buf_free(&scan->spans);
}

void mask_add(struct mask *mask, const char *text, size_t len, bool cut, struct buf *out)
{
	AUTO(scan_clear) struct mask_scan scan = {0};
	size_t at = 0;

	mask_scan(mask, &scan, text, len);
	mask_scan_end(mask, &scan, cut);
	for (size_t i = 0; i < mask_span_count(&scan); i++) {
		const struct mask_span *span = mask_span_at(&scan, i);
		buf_add(out, text + at, span->from - at);
		buf_add_str(out, MASK);
		at = span->to;
	}
	buf_add(out, text + at, len - at);
}
