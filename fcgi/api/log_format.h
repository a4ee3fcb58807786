/*
 * Writes the lines of a log in a harmless form; their bytes are hostile. The output is always UTF-8 (U+FFFD for invalid bytes)
 * and contains no control characters but those named below. A log may be a million empty lines, each of which needs fifty times
 * its size, so it is written in pages. Pure.
 */
#ifndef API_LOG_FORMAT_H
#define API_LOG_FORMAT_H

#include "api/log_lines.h"
#include "base/buf.h"

/* A page ends with the line that reaches this length. */
#define LOG_PAGE_LINES 10000
#define LOG_PAGE_BYTES (2u << 20)

/*
 * Both take the parts of a log, which are that of an invocation and of its late output, and append a page that begins with line
 * number from, counted from 0, and return the number of the line that follows the page; 0 when there is none. Each piece of a
 * long line (api/log_lines.h) counts as a line.
 */

/*
 * A JSON array of {"at", "level", "text"}, with "late" for what was printed after the answer and "continues" for a piece that
 * is not the last; control characters are escaped.
 */
uint64_t log_format_json(const struct log_source *parts, size_t count, uint64_t from, struct buf *out);

/*
 * For a terminal: "<time> <level> <text>\n" each, with "(late) " before the text of what was printed after the answer. Newlines
 * within a line stay, with an indentation behind them, so what a function prints never looks like another line. Tabs stay,
 * other control characters are written like \x1b.
 */
uint64_t log_format_text(const struct log_source *parts, size_t count, uint64_t from, struct buf *out);

#endif
