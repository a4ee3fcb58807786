/* Rows of logs as PostgreSQL has them (db/db_invocations.h), and how the API shows them. */
#ifndef API_LOG_ROW_H
#define API_LOG_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "api/log_lines.h"
#include "base/buf.h"
#include "base/err.h"
#include "db/db_invocations.h"

struct request;

/* The least level that a request wants: its parameter `level`. -1: err->msg says which values it may have. */
int log_row_parse_level(const struct request *request, size_t *least, struct err *err);

/* Pointers are valid as long as logs. least is as in struct log_source. */
struct log_source log_row_source(const PGresult *logs, int row, size_t least);

/*
 * Appends an object with the invocation's data, a page of its lines (log_format.h) that begins with line number from, and where
 * to continue; the count rows from row on are of one invocation. Returns whether the page contains the last line.
 */
bool log_row_json(const PGresult *logs, int row, int count, size_t least, uint64_t from, struct buf *out);

/* The same for a terminal. Returns the number of the line that follows the page, or 0. */
uint64_t log_row_text(const PGresult *logs, int row, int count, size_t least, uint64_t from, struct buf *out);

#endif
