/*
 * Keeps metrics_minute, metrics_hour and metrics_day: what a batch of records adds up to is added to the rows of its minutes,
 * hours and days, late ones to those of their time. A spool has rows of its own, so collectors do not wait for one another.
 */
#ifndef COLLECTOR_ROLLUPS_H
#define COLLECTOR_ROLLUPS_H

#include "base/err.h"
#include "collector/spool_reader.h"
#include "db/db.h"

/*
 * In the transaction that stores the records, which nobody else has open for this spool: rows are read, and written back.
 * Records that were refused do not count. Errors as in db/db.h.
 */
int rollups_store(struct db *db, const char *spool_id, const struct spool_batch *batch, struct err *err);

#endif
