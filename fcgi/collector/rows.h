/* The rows of metrics and invocation_logs (metrics.def) that a batch of records becomes. */
#ifndef COLLECTOR_ROWS_H
#define COLLECTOR_ROWS_H

#include "base/err.h"
#include "base/fields.h"
#include "collector/spool_reader.h"
#include "db/db.h"

/*
 * In the transaction that stores the batch: copies all records that are not refused yet and are invocations, of the machine
 * called node. Those that PostgreSQL refuses are refused then, and cost no other its row. Errors as in db/db.h.
 */
int rows_copy(struct db *db, struct str node, struct spool_batch *batch, struct err *err);

#endif
