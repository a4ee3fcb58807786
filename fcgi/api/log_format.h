/*
 * Writes the lines of a log, whose bytes are hostile, so that they harm nobody: always UTF-8 (U+FFFD for what is none), and no
 * control characters but those said below. A log may be a million empty lines, each of which takes fifty times its size, so it
 * is told page by page. Pure.
 */
#ifndef API_LOG_FORMAT_H
#define API_LOG_FORMAT_H

#include "api/log_lines.h"
#include "base/buf.h"

/* A page ends with the line that makes it so long. */
#define LOG_PAGE_LINES 10000
#define LOG_PAGE_BYTES (2u << 20)

/*
 * Both append a page that begins with the line of that number, counted from 0, and return the number of the line to go on with;
 * 0: there is none. A line in pieces (api/log_lines.h) counts as so many.
 */

/* A JSON array of {"at", "level", "text"}, with "continues" where a piece does; control characters are escaped. */
uint64_t log_format_json(const struct log_source *source, uint64_t from, struct buf *out);

/* For a terminal: "<time> <level> <text>\n" each. A tab is one, other control characters are written as \x1b. */
uint64_t log_format_text(const struct log_source *source, uint64_t from, struct buf *out);

#endif
