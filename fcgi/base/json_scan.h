/*
 * Checks a text against RFC 8259 without building values from it, for JSON that is only passed on. So it needs no memory, and
 * accepts values that a parser could not represent: numbers of any size, escapes of NUL and of lone surrogates.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

/* What functions take and return may be nested deeply; a bit is needed for each level. A multiple of 8. */
#define JSON_SCAN_DEPTH_MAX 10240

/* A member of the object that is the whole text. */
struct json_scan_member {
	const char *name; /* as written, with its escapes, without the quotes; not NUL-terminated */
	size_t name_len;
	char value; /* its first character: '{' '[' '"' 't' 'f' 'n', '-' or a digit */
};

struct json_scan_visitor {
	/* Called for each member in turn; a result other than 0 ends the scan and is returned by it. */
	int (*member)(void *context, const struct json_scan_member *member);
	void *context;
};

struct json_scan_error {
	const char *what;    /* static text */
	bool too_much;       /* it may be valid JSON, but exceeds the bounds */
	size_t line, column; /* from 1; column in bytes */
};

/*
 * Returns 0 when data is one JSON text in UTF-8, -1 with *error when it is not, or the visitor's result. visitor may be NULL;
 * with a visitor the text must be an object.
 */
int json_scan(const char *data, size_t len, const struct json_scan_visitor *visitor, struct json_scan_error *error);

/* Bounds for a text that will be parsed: a parser needs more than a hundred bytes for each value, even for {}. */
#define JSON_SCAN_SMALL_DEPTH  16
#define JSON_SCAN_SMALL_VALUES 8192 /* members and elements, plus one for the text itself */

/* The same as json_scan, with these bounds. */
int json_scan_small(const char *data, size_t len, struct json_scan_error *error);

#endif
