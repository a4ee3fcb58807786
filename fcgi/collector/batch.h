/*
 * Storing a batch. Every record is stored exactly once: offsets advance in the transaction that stores the records, and only
 * from where PostgreSQL says they are. So it does not matter when this process, or PostgreSQL, is killed, nor that a COMMIT of
 * a collector that died may still be under way: it is waited for.
 */
#ifndef COLLECTOR_BATCH_H
#define COLLECTOR_BATCH_H

#include "base/err.h"
#include "collector/spool_dir.h"
#include "collector/spool_reader.h"
#include "db/db.h"

/*
 * Stores the batch in one transaction. Records that PostgreSQL refuses, and those with a time that cannot be true, are set
 * aside in SPOOL_REJECTED_DIR, marked and counted; so is what is damaged. ESTALE: the offsets were not those in PostgreSQL;
 * nothing is stored. Errors as in db/db.h; after any, the offsets in memory are worth nothing: offsets_load.
 */
int batch_store(struct db *db, const struct spool *spool, struct spool_batch *batch, struct err *err);

#endif
