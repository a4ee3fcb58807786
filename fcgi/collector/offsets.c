#include "collector/offsets.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/buf.h"
#include "collector/array.h"

static const struct db_statement row_get = {
	.name = "offsets_get",
	.sql = "select file_name, byte_offset from spool_offsets where spool_id = $1::uuid",
	.param_count = 1,
	.reads = true,
};

static const struct db_statement row_add = {
	.name = "offsets_add",
	.sql = "insert into spool_offsets (file_name, spool_id, byte_offset) "
	       "select file_name, $2::uuid, 0 from unnest($1::text[]) as file_name on conflict do nothing",
	.param_count = 2,
};

/*
 * If another transaction has advanced the same files and is not committed yet, this waits for it, then finds changed offsets
 * and returns fewer rows.
 */
static const struct db_statement row_advance = {
	.name = "offsets_advance",
	.sql = "update spool_offsets o set byte_offset = m.becomes, updated_at = now() "
	       "from unnest($1::text[], $2::bigint[], $3::bigint[]) as m (file_name, was, becomes) "
	       "where o.file_name = m.file_name and o.byte_offset = m.was",
	.param_count = 3,
};

static const struct db_statement row_delete = {
	.name = "offsets_delete",
	.sql = "delete from spool_offsets where spool_id = $2::uuid and file_name = any ($1::text[])",
	.param_count = 2,
};

static int delete_offsets(struct db *db, const struct spool *spool, struct buf *names, struct err *err)
{
	if (names->len == 0)
		return 0;
	return db_run(db, &row_delete, (struct db_param[]){array_param(names), db_text(spool->id)}, NULL, err);
}

int offsets_load(struct db *db, struct spool *spool, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	AUTO(buf_free) struct buf gone = {0};
	struct spool_file *file, *next;

	if (db_run(db, &row_get, (struct db_param[]){db_text(spool->id)}, &r, err) < 0)
		return -1;
	HASH_ITER (hh, spool->files, file, next) {
		file->offset = 0;
		file->looked_at_us = 0;
		file->finished = false;
	}
	for (int row = 0; row < PQntuples(r); row++) {
		const char *name = PQgetvalue(r, row, 0);
		file = spool_find(spool, name);
		if (file != NULL)
			file->offset = strtoull(PQgetvalue(r, row, 1), NULL, 10);
		else
			array_add(&gone, "%s", name);
	}
	return delete_offsets(db, spool, &gone, err);
}

int offsets_forget_finished(struct db *db, const struct spool *spool, struct err *err)
{
	AUTO(buf_free) struct buf names = {0};
	struct spool_file *file, *next;

	HASH_ITER (hh, spool->files, file, next)
		if (file->finished)
			array_add(&names, "%s", file->name);
	return delete_offsets(db, spool, &names, err);
}

int offsets_advance(struct db *db, const struct spool *spool, const struct spool_batch *batch, struct err *err)
{
	AUTO(buf_free) struct buf names = {0}, was = {0}, becomes = {0}, fresh = {0};
	AUTO(db_result_clear) PGresult *r = NULL;
	long long moved = 0;

	for (size_t i = 0; i < batch->read_count; i++) {
		const struct spool_read *read = &batch->reads[i];
		if (read->to == read->from)
			continue;
		moved++;
		array_add(&names, "%s", read->name);
		array_add(&was, "%" PRIu64, read->from);
		array_add(&becomes, "%" PRIu64, read->to);
		if (read->from == 0)
			array_add(&fresh, "%s", read->name);
	}
	if (fresh.len > 0 && db_run(db, &row_add, (struct db_param[]){array_param(&fresh), db_text(spool->id)}, NULL, err) < 0)
		return -1;
	const struct db_param params[] = {array_param(&names), array_param(&was), array_param(&becomes)};
	if (db_run(db, &row_advance, params, &r, err) < 0)
		return -1;
	if (atoll(PQcmdTuples(r)) != moved)
		return db_fail(err, ESTALE, "the spool was stored further by another process");
	return 0;
}
