/* The daily partitions of the metrics, in UTC. Errors as in db/db.h. */
#ifndef COLLECTOR_PARTITIONS_H
#define COLLECTOR_PARTITIONS_H

#include "base/err.h"
#include "collector/spool_reader.h"
#include "db/db.h"

/* Makes the partitions of today and tomorrow. */
int partitions_prepare(struct db *db, struct err *err);

/* Makes the partitions of all days of the batch's records, except refused ones. */
int partitions_ensure(struct db *db, const struct spool_batch *batch, struct err *err);

#endif
