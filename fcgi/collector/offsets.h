/*
 * How far each spool file is stored: table spool_offsets. Errors as in db/db.h; after any, the offsets in memory are worth
 * nothing: offsets_load.
 */
#ifndef COLLECTOR_OFFSETS_H
#define COLLECTOR_OFFSETS_H

#include "base/err.h"
#include "collector/spool_dir.h"
#include "collector/spool_reader.h"
#include "db/db.h"

/* Sets the offset of every file from PostgreSQL, and deletes the rows of files that are gone. Right after a scan. */
int offsets_load(struct db *db, struct spool *spool, struct err *err);

/*
 * In the transaction that stores the batch: from where it was read to where it ends. ESTALE: the offsets were not those in
 * PostgreSQL.
 */
int offsets_advance(struct db *db, const struct spool *spool, const struct spool_batch *batch, struct err *err);

/* Deletes the rows of the finished files, which must be off the disk. */
int offsets_forget_finished(struct db *db, const struct spool *spool, struct err *err);

#endif
