/*
 * How far each spool file is stored: table spool_offsets. Errors as in db/db.h; after any error the offsets in memory are
 * invalid: call offsets_load.
 */
#ifndef COLLECTOR_OFFSETS_H
#define COLLECTOR_OFFSETS_H

#include "base/err.h"
#include "collector/spool_dir.h"
#include "collector/spool_reader.h"
#include "db/db.h"

/*
 * Sets the offset of every file from PostgreSQL, and deletes the rows of files that are gone. To be called right after a scan.
 */
int offsets_load(struct db *db, struct spool *spool, struct err *err);

/*
 * In the transaction that stores the batch: advances the offsets from where the batch begins to where it ends. ESTALE:
 * PostgreSQL has other offsets.
 */
int offsets_advance(struct db *db, const struct spool *spool, const struct spool_batch *batch, struct err *err);

/* Deletes the rows of the finished files, which must have been removed from the disk. */
int offsets_forget_finished(struct db *db, const struct spool *spool, struct err *err);

#endif
