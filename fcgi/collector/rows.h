/* Stores a batch of records as rows of metrics and invocation_logs (metrics.def). */
#ifndef COLLECTOR_ROWS_H
#define COLLECTOR_ROWS_H

#include "base/err.h"
#include "base/fields.h"
#include "collector/spool_reader.h"
#include "db/db.h"

/*
 * In the transaction that stores the batch: copies all records of invocations that are not refused yet; node is the machine's
 * name. Records that PostgreSQL refuses are marked as refused, and the others are still stored. Errors as in db/db.h.
 */
int rows_copy(struct db *db, struct str node, struct spool_batch *batch, struct err *err);

#endif
