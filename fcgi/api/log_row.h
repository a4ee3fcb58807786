/* Rows of logs as PostgreSQL has them (db/db_invocations.h), and how the API shows them. */
#ifndef API_LOG_ROW_H
#define API_LOG_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "api/log_lines.h"
#include "base/buf.h"
#include "db/db_invocations.h"

/* Pointers are valid as long as logs. */
struct log_source log_row_source(const PGresult *logs, int row);

/*
 * Appends an object with the invocation's data, a page of its lines (log_format.h) that begins with line number from, and where
 * to continue; the count rows from row on are of one invocation. Returns whether the page contains the last line.
 */
bool log_row_json(const PGresult *logs, int row, int count, uint64_t from, struct buf *out);

/* The same for a terminal. Returns the number of the line that follows the page, or 0. */
uint64_t log_row_text(const PGresult *logs, int row, int count, uint64_t from, struct buf *out);

#endif
