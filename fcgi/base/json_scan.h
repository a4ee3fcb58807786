/*
 * Is this JSON? Checks a text against RFC 8259 without building anything from it: for what is only passed on. So it takes no
 * memory, and accepts what a parser that must represent values cannot: numbers of any size, escapes of NUL and of lone
 * surrogates.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#define JSON_SCAN_DEPTH_MAX 2048 /* jansson's too */

/* A member of the object that is the whole text. */
struct json_scan_member {
	const char *name; /* as written, escapes and all, without the quotes; not NUL-terminated */
	size_t name_len;
	char value; /* its first character: '{' '[' '"' 't' 'f' 'n', '-' or a digit */
};

struct json_scan_visitor {
	/* Called for each member as it is met; a result other than 0 ends the scan, which returns it. */
	int (*member)(void *context, const struct json_scan_member *member);
	void *context;
};

struct json_scan_error {
	const char *what;    /* static text */
	bool too_much;       /* it may well be JSON, but is beyond the bounds */
	size_t line, column; /* from 1; column in bytes */
};

/*
 * 0 when data is one JSON text in UTF-8; -1 and *error when not; or what the visitor returned. visitor may be NULL; with one,
 * the text must be an object.
 */
int json_scan(const char *data, size_t len, const struct json_scan_visitor *visitor, struct json_scan_error *error);

/* What a text that is going to be parsed may have: a parser takes a hundred bytes and more for each value, be it as short as
 * {}. */
#define JSON_SCAN_SMALL_DEPTH  16
#define JSON_SCAN_SMALL_VALUES 8192 /* members and elements, and the text itself */

/* The same, within these bounds. */
int json_scan_small(const char *data, size_t len, struct json_scan_error *error);

#endif
