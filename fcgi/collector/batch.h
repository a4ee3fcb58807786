/*
 * Stores a batch. Every record is stored exactly once: the offsets advance in the transaction that stores the records, and only
 * if PostgreSQL has the expected old offsets. So it does not matter when this process or PostgreSQL is killed. A COMMIT of a
 * collector that died may still be under way; its end is waited for.
 */
#ifndef COLLECTOR_BATCH_H
#define COLLECTOR_BATCH_H

#include "base/err.h"
#include "collector/spool_dir.h"
#include "collector/spool_reader.h"
#include "db/db.h"

/*
 * Stores the batch in one transaction. Records that PostgreSQL refuses, records with an impossible time, and damaged bytes are
 * saved in SPOOL_REJECTED_DIR, marked and counted. ESTALE: the offsets differ from those in PostgreSQL; nothing is stored.
 * Errors as in db/db.h; after any error the offsets in memory are invalid: call offsets_load.
 */
int batch_store(struct db *db, const struct spool *spool, struct spool_batch *batch, struct err *err);

#endif
