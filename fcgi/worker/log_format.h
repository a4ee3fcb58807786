/*
 * Writes the lines of a log, whose bytes are hostile, so that they harm nobody: always UTF-8 (U+FFFD for what is none), and no
 * control characters but those said below. Straight into the buffer, since a log may be a million empty lines. Pure.
 */
#ifndef WORKER_LOG_FORMAT_H
#define WORKER_LOG_FORMAT_H

#include "base/buf.h"
#include "worker/log_lines.h"

/* A JSON array of {"at", "level", "text"}; control characters are escaped. */
void log_format_json(const struct log_source *source, struct buf *out);

/* For a terminal: "<time> <level> <text>\n" each. A tab is one, other control characters are written as \x1b. */
void log_format_text(const struct log_source *source, struct buf *out);

#endif
