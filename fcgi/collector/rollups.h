/*
 * Maintains metrics_minute, metrics_hour and metrics_day: the sums of a batch of records are added to the rows of its minutes,
 * hours and days; late records count for their own time. Each spool has its own rows, so collectors do not wait for each other.
 */
#ifndef COLLECTOR_ROLLUPS_H
#define COLLECTOR_ROLLUPS_H

#include "base/err.h"
#include "collector/spool_reader.h"
#include "db/db.h"

/*
 * Reads the rows and writes them back, in the transaction that stores the records; no other transaction of this spool may be
 * open. Refused records do not count. Errors as in db/db.h.
 */
int rollups_store(struct db *db, const char *spool_id, const struct spool_batch *batch, struct err *err);

#endif
