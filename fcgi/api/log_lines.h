/* What an invocation printed, as lines; and what the platform has to say of it. Pure. */
#ifndef API_LOG_LINES_H
#define API_LOG_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fields.h"

/* As stored: ipc/record.def says what the fields are. Nothing of it is trusted. */
struct log_source {
	int64_t requested_at_us, response_us;
	struct str log, times, streams;
	uint64_t log_bytes, orphan_bytes;
	const char *error_code, *error_message; /* "" for success */
};

#define LOG_LINE_BYTES (512u << 10) /* a longer line comes in pieces, which end where a character does */

struct log_line {
	int64_t at_us;     /* when its first byte came */
	const char *level; /* "info": printed to stdout, "error": to stderr; "platform" */
	struct str text;   /* without the line's end; any bytes */
	bool continues;    /* the next one is more of it */
};

/* Bytes that were printed and not kept. */
uint64_t log_lines_lost(const struct log_source *source);

/*
 * Calls take for each line, in the order they were begun: each stream has lines of its own, whatever came from the other in the
 * middle of one. What it gets lasts until it returns; when it returns false there are no more.
 */
void log_lines(const struct log_source *source, bool (*take)(const struct log_line *line, void *arg), void *arg);

#endif
