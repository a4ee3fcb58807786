/* One row of logs as PostgreSQL has it (db/db_invocations.h), and how the API shows it. */
#ifndef API_LOG_ROW_H
#define API_LOG_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "api/log_lines.h"
#include "base/buf.h"
#include "db/db_invocations.h"

/* What it points to lasts as long as logs. */
struct log_source log_row_source(const PGresult *logs, int row);

/*
 * Appends an object with what is to be known of the invocation, a page of its lines (log_format.h) that begins with the line of
 * number from, and where to go on. Returns whether that was all of it.
 */
bool log_row_json(const PGresult *logs, int row, uint64_t from, struct buf *out);

#endif
