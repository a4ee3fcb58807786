/* Splits what an invocation printed into lines, and adds the platform's messages. Pure. */
#ifndef API_LOG_LINES_H
#define API_LOG_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fields.h"

/* As stored; ipc/record.def describes the fields. Nothing in it is trusted. */
struct log_source {
	int64_t requested_at_us, response_us;
	struct str log, times, streams, levels;
	uint64_t log_bytes;
	const char *error_code, *error_message; /* "" for success */
	bool late;                              /* printed after the answer: an addition to the log of an invocation */

	size_t least; /* lines of lower levels are not wanted; the place of a level in log_lines_level(), so 0 wants all */
};

#define LOG_LINE_BYTES (512u << 10) /* a longer line is split into pieces, between characters */

struct log_line {
	int64_t at_us;     /* when its first byte was printed */
	const char *level; /* one of log_lines_level() */
	struct str text;   /* without the newline; any bytes. Only entries of a level contain newlines */
	bool continues;    /* the next one is another piece of the same line */
	bool late;         /* printed after the answer */
};

/*
 * The i-th level of a line, the lowest first; NULL behind the last. A function's runtime gives its entries a level from "trace"
 * to "critical" (runtimes/protocol.md). Other output is "info" if it went to stdout and "error" if it went to stderr. Berth's
 * own messages are "platform".
 */
const char *log_lines_level(size_t i);

/* Finds the place of a level. False: there is none of that name. */
bool log_lines_find_level(const char *name, size_t *i);

/* The number of bytes that were printed and not kept. */
uint64_t log_lines_lost(const struct log_source *source);

/*
 * Calls take for each line that is wanted, in the order in which lines were begun. An entry of a level is one line, however
 * many newlines it contains. Each stream has its own lines, even if output of the other one came in the middle of a line. The
 * line is valid until take returns; when take returns false, there are no more calls.
 */
void log_lines(const struct log_source *source, bool (*take)(const struct log_line *line, void *arg), void *arg);

#endif
