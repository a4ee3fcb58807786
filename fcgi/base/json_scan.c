#include "base/json_scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/defs.h"

struct scan {
	const unsigned char *p, *end;
	const char *error; /* NULL: none yet */
	bool too_much;
	size_t values_left;
	unsigned depth_max;
	/*
	 * The objects and arrays that enclose p: one bit per level, set for an object. Recursion would let the sender choose
	 * the depth of the C stack.
	 */
	unsigned depth;
	uint8_t in_object[JSON_SCAN_DEPTH_MAX / 8];
	const struct json_scan_visitor *visitor;
	int verdict; /* the visitor's */
};

static bool fail(struct scan *s, const char *what)
{
	s->error = what;
	return false;
}

static bool fail_beyond(struct scan *s, const char *what)
{
	s->too_much = true;
	return fail(s, what);
}

static bool is_digit(const struct scan *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static bool accept_byte(struct scan *s, unsigned char c)
{
	if (s->p == s->end || *s->p != c)
		return false;
	s->p++;
	return true;
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
		s->p++;
}

/* Checks one character of two to four bytes: shortest form, no surrogate, at most U+10FFFF (RFC 3629, section 4). */
static bool scan_utf8(struct scan *s)
{
	static const struct {
		unsigned char first, last; /* range of the first byte */
		unsigned char low, high;   /* range of the second */
		int more;                  /* bytes after the first */
	} forms[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 1}, {0xe0, 0xe0, 0xa0, 0xbf, 2}, {0xe1, 0xec, 0x80, 0xbf, 2},
		{0xed, 0xed, 0x80, 0x9f, 2}, {0xee, 0xef, 0x80, 0xbf, 2}, {0xf0, 0xf0, 0x90, 0xbf, 3},
		{0xf1, 0xf3, 0x80, 0xbf, 3}, {0xf4, 0xf4, 0x80, 0x8f, 3},
	};
	const unsigned char *p = s->p;

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (p[0] < forms[i].first || p[0] > forms[i].last)
			continue;
		if (s->end - p <= forms[i].more || p[1] < forms[i].low || p[1] > forms[i].high)
			break;
		for (int k = 2; k <= forms[i].more; k++)
			if ((p[k] & 0xc0) != 0x80)
				return fail(s, "invalid UTF-8");
		s->p += forms[i].more + 1;
		return true;
	}
	return fail(s, "invalid UTF-8");
}

static bool scan_escape(struct scan *s)
{
	static const char simple[] = "\"\\/bfnrt";

	if (s->p < s->end && *s->p != '\0' && strchr(simple, *s->p) != NULL) {
		s->p++;
		return true;
	}
	if (!accept_byte(s, 'u'))
		return fail(s, "invalid escape");
	for (int i = 0; i < 4; i++, s->p++)
		if (s->p == s->end || *s->p == '\0' || strchr("0123456789abcdefABCDEF", *s->p) == NULL)
			return fail(s, "invalid \\u escape");
	return true;
}

/* Scans a string, from its opening quote to after its closing one. */
static bool scan_string(struct scan *s)
{
	s->p++;
	while (s->p < s->end) {
		unsigned char c = *s->p;
		if (c == '"') {
			s->p++;
			return true;
		}
		if (c < 0x20)
			return fail(s, "control character in a string");
		if (c >= 0x80) {
			if (!scan_utf8(s))
				return false;
			continue;
		}
		s->p++;
		if (c == '\\' && !scan_escape(s))
			return false;
	}
	return fail(s, "string without end");
}

static bool scan_digits(struct scan *s)
{
	if (!is_digit(s))
		return fail(s, "digit expected");
	while (is_digit(s))
		s->p++;
	return true;
}

static bool scan_number(struct scan *s)
{
	accept_byte(s, '-');
	if (!accept_byte(s, '0') && !scan_digits(s))
		return false;
	if (is_digit(s))
		return fail(s, "number with a leading zero");
	if (accept_byte(s, '.') && !scan_digits(s))
		return false;
	if (accept_byte(s, 'e') || accept_byte(s, 'E')) {
		if (!accept_byte(s, '+'))
			accept_byte(s, '-');
		return scan_digits(s);
	}
	return true;
}

static bool scan_word(struct scan *s)
{
	static const char *const words[] = {"true", "false", "null"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t len = strlen(words[i]);
		if ((size_t)(s->end - s->p) >= len && memcmp(s->p, words[i], len) == 0) {
			s->p += len;
			return true;
		}
	}
	return fail(s, s->p == s->end ? "premature end" : "value expected");
}

static bool top_is_object(const struct scan *s)
{
	return s->in_object[(s->depth - 1) / 8] >> (s->depth - 1) % 8 & 1;
}

static bool open_level(struct scan *s, bool object)
{
	if (s->depth == s->depth_max)
		return fail_beyond(s, "nested too deeply");
	uint8_t bit = (uint8_t)(1u << s->depth % 8);
	if (object)
		s->in_object[s->depth / 8] |= bit;
	else
		s->in_object[s->depth / 8] &= (uint8_t)~bit;
	s->depth++;
	s->p++;
	return true;
}

static bool visit(struct scan *s, const unsigned char *name, const unsigned char *name_end)
{
	struct json_scan_member member = {(const char *)name, (size_t)(name_end - name), s->p < s->end ? (char)*s->p : '\0'};

	if (s->visitor == NULL || s->depth != 1)
		return true;
	s->verdict = s->visitor->member(s->visitor->context, &member);
	return s->verdict == 0;
}

/* Scans a member's name and the colon, up to its value. */
static bool scan_name(struct scan *s)
{
	skip_space(s);
	if (s->p == s->end || *s->p != '"')
		return fail(s, "name expected");
	const unsigned char *name = s->p + 1;
	if (!scan_string(s))
		return false;
	const unsigned char *name_end = s->p - 1;
	skip_space(s);
	if (!accept_byte(s, ':'))
		return fail(s, "':' expected");
	skip_space(s);
	return visit(s, name, name_end);
}

/*
 * Scans a value without members, or the opening bracket of one with members. *complete: p is after a whole value; otherwise the
 * first member or element must follow.
 */
static bool scan_value_start(struct scan *s, bool *complete)
{
	*complete = true;
	skip_space(s);
	if (s->values_left-- == 0)
		return fail_beyond(s, "too many members and elements");
	if (s->p < s->end && (*s->p == '{' || *s->p == '[')) {
		bool object = *s->p == '{';
		if (!open_level(s, object))
			return false;
		skip_space(s);
		if (accept_byte(s, object ? '}' : ']')) {
			s->depth--;
			return true;
		}
		*complete = false;
		return !object || scan_name(s);
	}
	if (s->p < s->end && *s->p == '"')
		return scan_string(s);
	if (is_digit(s) || (s->p < s->end && *s->p == '-'))
		return scan_number(s);
	return scan_word(s);
}

/*
 * After a whole value: closes the objects and arrays that end here, until a comma announces another value (*more) or the text
 * is complete.
 */
static bool scan_value_end(struct scan *s, bool *more)
{
	for (*more = false; s->depth > 0; s->depth--) {
		bool object = top_is_object(s);
		skip_space(s);
		if (accept_byte(s, ',')) {
			*more = true;
			return !object || scan_name(s);
		}
		if (!accept_byte(s, object ? '}' : ']'))
			return fail(s, object ? "',' or '}' expected" : "',' or ']' expected");
	}
	return true;
}

static bool scan_text(struct scan *s)
{
	bool complete, more = true;

	while (more) {
		do
			if (!scan_value_start(s, &complete))
				return false;
		while (!complete);
		if (!scan_value_end(s, &more))
			return false;
	}
	skip_space(s);
	return s->p == s->end || fail(s, "text after the end");
}

static void locate(const char *data, const struct scan *s, struct json_scan_error *error)
{
	const char *at = (const char *)s->p, *line = data;

	*error = (struct json_scan_error){.what = s->error, .too_much = s->too_much, .line = 1};
	for (const char *p = data; p < at && (p = memchr(p, '\n', (size_t)(at - p))) != NULL; line = ++p)
		error->line++;
	error->column = (size_t)(at - line) + 1;
}

/* The members of s that are not filled here are set by the caller. */
static int scan(const char *data, size_t len, struct scan *s, struct json_scan_error *error)
{
	s->p = (const unsigned char *)data;
	s->end = s->p + len;
	if (scan_text(s))
		return 0;
	if (s->verdict != 0)
		return s->verdict;
	locate(data, s, error);
	return -1;
}

int json_scan(const char *data, size_t len, const struct json_scan_visitor *visitor, struct json_scan_error *error)
{
	struct scan s = {.visitor = visitor, .depth_max = JSON_SCAN_DEPTH_MAX, .values_left = SIZE_MAX};

	return scan(data, len, &s, error);
}

int json_scan_small(const char *data, size_t len, struct json_scan_error *error)
{
	struct scan s = {.depth_max = JSON_SCAN_SMALL_DEPTH, .values_left = JSON_SCAN_SMALL_VALUES};

	return scan(data, len, &s, error);
}
