/* One row of logs as PostgreSQL has it (db/db_invocations.h), and how the API shows it. */
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
 * to continue. Returns whether the page contains the last line.
 */
bool log_row_json(const PGresult *logs, int row, uint64_t from, struct buf *out);

#endif
