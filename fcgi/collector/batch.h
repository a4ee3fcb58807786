/*
 * The collector's side of PostgreSQL. Every record is stored exactly once: offsets advance in the transaction that stores the
 * records, and only from where PostgreSQL says they are. So it does not matter when this process, or PostgreSQL, is killed, nor
 * that a COMMIT of a collector that died may still be under way: it is waited for.
 *
 * Errors as in db/db.h; after any, the offsets in memory are worth nothing: store_load_offsets.
 */
#ifndef COLLECTOR_BATCH_H
#define COLLECTOR_BATCH_H

#include "base/err.h"
#include "collector/spool_dir.h"
#include "collector/spool_reader.h"
#include "db/db.h"

/* Sets the offset of every file from PostgreSQL, and deletes the rows of files that are gone. Right after a scan. */
int store_load_offsets(struct db *db, struct spool *spool, struct err *err);

/*
 * Stores the batch in one transaction. Records that PostgreSQL refuses, and those with a time that cannot be true, are set
 * aside in SPOOL_REJECTED_DIR, marked and counted; so is what is damaged. ESTALE: the offsets were not those in PostgreSQL;
 * nothing is stored.
 */
int store_batch(struct db *db, const struct spool *spool, struct spool_batch *batch, struct err *err);

/* Deletes the rows of the finished files, which must be off the disk. */
int store_forget_finished(struct db *db, const struct spool *spool, struct err *err);

/* Drops what the settings [retention] do not keep any longer. */
int store_expire(struct db *db, const struct conf *conf, struct err *err);

/* Makes the partitions of today and tomorrow. */
int store_prepare_partitions(struct db *db, struct err *err);

#endif
