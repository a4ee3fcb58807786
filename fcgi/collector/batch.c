#include "collector/batch.h"

#include "base/clock.h"
#include "collector/offsets.h"
#include "collector/partitions.h"
#include "collector/rollups.h"
#include "collector/rows.h"

#define OLDEST_US    1577836800000000ll /* 2020-01-01 */
#define MAX_AHEAD_US 86400000000ll      /* a day */

/* Waits until any transaction that another collector of the same spool has left open has ended. */
static const struct db_statement spool_lock = {
	.name = "spool_lock",
	.sql = "select pg_advisory_xact_lock(hashtextextended($1::text, 0))",
	.param_count = 1,
};

/* Limits for times of records: a clock that was never set, or that jumped, must not create useless partitions. */
static void refuse_strange_times(struct spool_batch *batch)
{
	uint64_t latest_us = (uint64_t)(clock_wall_us() + MAX_AHEAD_US);

	for (size_t i = 0; i < batch->record_count; i++) {
		uint64_t at_us = batch->records[i].record.requested_at_us;
		if (at_us < OLDEST_US || at_us > latest_us)
			spool_batch_refuse(batch, &batch->records[i], "its time is before 2020 or more than a day ahead");
	}
}

static int set_aside_refused(const struct spool *spool, const struct spool_batch *batch, struct err *err)
{
	for (size_t i = 0; i < batch->record_count; i++) {
		const struct spool_record *r = &batch->records[i];
		if (r->refused && spool_set_aside(spool, batch->reads[r->read].name, r->offset, r->raw, r->raw_len, err) < 0)
			return -1;
	}
	return 0;
}

static int set_aside_damages(const struct spool *spool, const struct spool_batch *batch, struct err *err)
{
	for (size_t i = 0; i < batch->damage_count; i++) {
		const struct spool_damage *d = &batch->damages[i];
		if (spool_set_aside(spool, batch->reads[d->read].name, d->offset, d->raw, d->len, err) < 0)
			return -1;
	}
	return 0;
}

static int store_in_transaction(struct db *db, const struct spool *spool, struct spool_batch *batch, struct err *err)
{
	if (db_run(db, &spool_lock, (struct db_param[]){db_text(spool->id)}, NULL, err) < 0 ||
	    offsets_advance(db, spool, batch, err) < 0)
		return -1;
	refuse_strange_times(batch);
	if (partitions_ensure(db, batch, err) < 0 || rows_copy(db, STR(spool->node), batch, err) < 0 ||
	    rollups_store(db, spool->id, batch, err) < 0)
		return -1;
	if (set_aside_damages(spool, batch, err) < 0)
		return -1;
	return batch->refused_count > 0 ? set_aside_refused(spool, batch, err) : 0;
}

int batch_store(struct db *db, const struct spool *spool, struct spool_batch *batch, struct err *err)
{
	if (db_begin(db, err) < 0)
		return -1;
	if (store_in_transaction(db, spool, batch, err) < 0) {
		db_rollback(db);
		return -1;
	}
	return db_commit(db, err);
}
