#include "collector/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "collector/copy.h"
#include "collector/rollups.h"

#define DAY_US       86400000000ll
#define OLDEST_US    1577836800000000ll /* 2020-01-01 */
#define MAX_AHEAD_US DAY_US
#define METRIC_BYTES 512 /* about what a row takes in COPY's form */

/* COPY … and the columns, from the one table of them. Each list starts with a comma, which copy_table() skips. */
#define METRIC(column, kind, value) ", " #column
#define LOG(column, kind, value)
static const char metric_columns[] =
#include "collector/metrics.def"
	;
#undef METRIC
#undef LOG
#define METRIC(column, kind, value)
#define LOG(column, kind, value) ", " #column
static const char log_columns[] =
#include "collector/metrics.def"
	;
#undef METRIC
#undef LOG

enum {
	METRIC_COLUMN_COUNT = 0
#define METRIC(column, kind, value) +1
#define LOG(column, kind, value)
#include "collector/metrics.def"
#undef METRIC
#undef LOG
	,
	LOG_COLUMN_COUNT = 0
#define METRIC(column, kind, value)
#define LOG(column, kind, value) +1
#include "collector/metrics.def"
#undef METRIC
#undef LOG
};

/* Waits for the end of whatever a collector of the same spool has left open. */
static const struct db_statement spool_lock = {
	.name = "spool_lock",
	.sql = "select pg_advisory_xact_lock(hashtextextended($1::text, 0))",
	.param_count = 1,
};

static const struct db_statement offsets_get = {
	.name = "offsets_get",
	.sql = "select file_name, byte_offset from spool_offsets where spool_id = $1::uuid",
	.param_count = 1,
	.reads = true,
};

static const struct db_statement offsets_add = {
	.name = "offsets_add",
	.sql = "insert into spool_offsets (file_name, spool_id, byte_offset) "
	       "select file_name, $2::uuid, 0 from unnest($1::text[]) as file_name on conflict do nothing",
	.param_count = 2,
};

/* Waits for whoever has advanced the same files and not committed yet, and then finds their offsets changed: fewer rows. */
static const struct db_statement offsets_advance = {
	.name = "offsets_advance",
	.sql = "update spool_offsets o set byte_offset = m.becomes, updated_at = now() "
	       "from unnest($1::text[], $2::bigint[], $3::bigint[]) as m (file_name, was, becomes) "
	       "where o.file_name = m.file_name and o.byte_offset = m.was",
	.param_count = 3,
};

static const struct db_statement offsets_delete = {
	.name = "offsets_delete",
	.sql = "delete from spool_offsets where spool_id = $2::uuid and file_name = any ($1::text[])",
	.param_count = 2,
};

static const struct db_statement partitions_ensure = {
	.name = "partitions_ensure",
	.sql = "select ensure_metrics_partitions(date '1970-01-01' + day) from unnest($1::integer[]) as day",
	.param_count = 1,
};

static const struct db_statement partitions_drop = {
	.name = "partitions_drop",
	.sql = "select drop_metrics_partitions($1::text, (now() at time zone 'UTC')::date - $2::integer)",
	.param_count = 2,
};

/* A bounded number at a time: what is left is for the next time. */
static const struct db_statement hours_delete = {
	.name = "hours_delete",
	.sql = "delete from metrics_hour where ctid = any (array ("
	       "select ctid from metrics_hour where bucket < now() - make_interval(days => $1::integer) limit 50000))",
	.param_count = 1,
};

static const struct db_statement samples_delete = {
	.name = "samples_delete",
	.sql = "delete from system_samples where at < now() - make_interval(days => $1::integer)",
	.param_count = 1,
};

/* A PostgreSQL array as text; the elements need no quotes. */
static void array_add(struct buf *array, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void array_add(struct buf *array, const char *fmt, ...)
{
	char element[SPOOL_NAME_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(element, sizeof(element), fmt, ap);
	va_end(ap);
	buf_add_u8(array, array->len == 0 ? '{' : ',');
	buf_add_str(array, element);
}

static struct db_param array_param(struct buf *array)
{
	buf_add_str(array, array->len == 0 ? "{}" : "}");
	return db_text(buf_str(array));
}

static int delete_offsets(struct db *db, const struct spool *spool, struct buf *names, struct err *err)
{
	if (names->len == 0)
		return 0;
	return db_run(db, &offsets_delete, (struct db_param[]){array_param(names), db_text(spool->id)}, NULL, err);
}

int store_load_offsets(struct db *db, struct spool *spool, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	AUTO(buf_free) struct buf gone = {0};
	struct spool_file *file, *next;

	if (db_run(db, &offsets_get, (struct db_param[]){db_text(spool->id)}, &r, err) < 0)
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

int store_forget_finished(struct db *db, const struct spool *spool, struct err *err)
{
	AUTO(buf_free) struct buf names = {0};
	struct spool_file *file, *next;

	HASH_ITER (hh, spool->files, file, next)
		if (file->finished)
			array_add(&names, "%s", file->name);
	return delete_offsets(db, spool, &names, err);
}

static int advance_offsets(struct db *db, const struct spool *spool, const struct spool_batch *batch, struct err *err)
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
	if (fresh.len > 0 &&
	    db_run(db, &offsets_add, (struct db_param[]){array_param(&fresh), db_text(spool->id)}, NULL, err) < 0)
		return -1;
	const struct db_param params[] = {array_param(&names), array_param(&was), array_param(&becomes)};
	if (db_run(db, &offsets_advance, params, &r, err) < 0)
		return -1;
	if (atoll(PQcmdTuples(r)) != moved)
		return db_fail(err, ESTALE, "the spool was stored further by another process");
	return 0;
}

static void refuse(struct spool_batch *batch, struct spool_record *record, const char *why)
{
	if (batch->refused_count++ == 0)
		snprintf(batch->refused_why, sizeof(batch->refused_why), "%s", why);
	record->refused = true;
}

/* A clock that was never set, or jumped, must not make partitions that nobody will ever look for. */
static void refuse_strange_times(struct spool_batch *batch)
{
	uint64_t latest_us = (uint64_t)(clock_wall_us() + MAX_AHEAD_US);

	for (size_t i = 0; i < batch->record_count; i++) {
		uint64_t at_us = batch->records[i].record.requested_at_us;
		if (at_us < OLDEST_US || at_us > latest_us)
			refuse(batch, &batch->records[i], "its time is before 2020 or more than a day ahead");
	}
}

static int ensure_partitions(struct db *db, const struct spool_batch *batch, struct err *err)
{
	AUTO(buf_free) struct buf days = {0};
	int64_t latest = -1;

	/* Records come nearly in order of time: that a day turns up twice does no harm. */
	for (size_t i = 0; i < batch->record_count; i++) {
		int64_t day = (int64_t)(batch->records[i].record.requested_at_us / DAY_US);
		if (batch->records[i].refused || day == latest)
			continue;
		array_add(&days, "%" PRId64, day);
		latest = day;
	}
	if (days.len == 0)
		return 0;
	return db_run(db, &partitions_ensure, (struct db_param[]){array_param(&days)}, NULL, err);
}

int store_prepare_partitions(struct db *db, struct err *err)
{
	AUTO(buf_free) struct buf days = {0};
	int64_t today = clock_wall_us() / DAY_US;

	array_add(&days, "%" PRId64, today);
	array_add(&days, "%" PRId64, today + 1);
	return db_run(db, &partitions_ensure, (struct db_param[]){array_param(&days)}, NULL, err);
}

static int drop_partitions(struct db *db, const char *table, int64_t days, struct err *err)
{
	return days == 0 ? 0 : db_run(db, &partitions_drop, (struct db_param[]){db_text(table), db_int(days)}, NULL, err);
}

static int delete_rows(struct db *db, const struct db_statement *statement, int64_t days, struct err *err)
{
	return days == 0 ? 0 : db_run(db, statement, (struct db_param[]){db_int(days)}, NULL, err);
}

int store_expire(struct db *db, const struct conf *conf, struct err *err)
{
	if (drop_partitions(db, "metrics", conf->retention_raw_days, err) < 0 ||
	    drop_partitions(db, "invocation_logs", conf->retention_raw_days, err) < 0 ||
	    drop_partitions(db, "metrics_minute", conf->retention_minute_days, err) < 0)
		return -1;
	if (delete_rows(db, &hours_delete, conf->retention_hour_days, err) < 0)
		return -1;
	return delete_rows(db, &samples_delete, conf->retention_hour_days, err);
}

static void add_metric(struct buf *b, struct str node, const struct record *r)
{
	copy_row(b, METRIC_COLUMN_COUNT);
#define METRIC(column, kind, value) copy_##kind(b, value);
#define LOG(column, kind, value)
#include "collector/metrics.def"
#undef METRIC
#undef LOG
}

static void add_log(struct buf *b, const struct record *r)
{
	if (r->log.len == 0 && r->log_bytes == 0 && r->orphan_bytes == 0)
		return;
	copy_row(b, LOG_COLUMN_COUNT);
#define METRIC(column, kind, value)
#define LOG(column, kind, value) copy_##kind(b, value);
#include "collector/metrics.def"
#undef METRIC
#undef LOG
}

static int copy_table(struct db *db, const char *table, const char *columns, struct buf *rows, struct err *err)
{
	char sql[512];

	snprintf(sql, sizeof(sql), "copy %s (%s) from stdin (format binary)", table, columns + 1);
	copy_end(rows);
	return db_copy(db, sql, rows->data, rows->len, err);
}

/* Copies those of count records that are not refused yet. */
static int copy_records(struct db *db, struct str node, struct spool_record *const *records, size_t count, struct err *err)
{
	AUTO(buf_free) struct buf metrics = {0}, logs = {0};

	copy_begin(&metrics);
	copy_begin(&logs);
	size_t none = logs.len;
	buf_reserve(&metrics, count * METRIC_BYTES);
	for (size_t i = 0; i < count; i++) {
		if (records[i]->refused || !record_is_invocation(&records[i]->record))
			continue;
		add_metric(&metrics, node, &records[i]->record);
		add_log(&logs, &records[i]->record);
	}
	if (metrics.len > none && copy_table(db, "metrics", metric_columns, &metrics, err) < 0)
		return -1;
	return logs.len > none ? copy_table(db, "invocation_logs", log_columns, &logs, err) : 0;
}

/* Whether the server objects to the data, so that trying again cannot help. */
static bool is_refusal(const struct err *err)
{
	return err->code == EINVAL || err->code == EEXIST;
}

/* Copies a range; when it is refused, finds the records to blame by halving. */
static int copy_range(struct db *db, struct str node, struct spool_batch *batch, struct spool_record *const *records,
		      size_t count, struct err *err)
{
	struct err why;

	if (count == 0)
		return 0;
	if (db_command(db, "savepoint range", err) < 0)
		return -1;
	if (copy_records(db, node, records, count, &why) == 0)
		return db_command(db, "release savepoint range", err);
	if (!is_refusal(&why))
		return db_fail(err, why.code, "%s", why.msg);
	if (db_command(db, "rollback to savepoint range", err) < 0 || db_command(db, "release savepoint range", err) < 0)
		return -1;
	if (count == 1) {
		refuse(batch, records[0], why.msg);
		return 0;
	}
	if (copy_range(db, node, batch, records, count / 2, err) < 0)
		return -1;
	return copy_range(db, node, batch, records + count / 2, count - count / 2, err);
}

static int compare_times(const void *a, const void *b)
{
	uint64_t at = (*(struct spool_record *const *)a)->record.requested_at_us;
	uint64_t bt = (*(struct spool_record *const *)b)->record.requested_at_us;

	return (at > bt) - (at < bt);
}

/* In order of time, which each file has for itself: the indexes grow at their end then, and their pages are found faster. */
static int copy_batch(struct db *db, struct str node, struct spool_batch *batch, struct err *err)
{
	size_t count = batch->record_count;
	AUTO(mem_free) struct spool_record **records = mem_alloc((count + 1) * sizeof(records[0]));

	for (size_t i = 0; i < count; i++)
		records[i] = &batch->records[i];
	qsort(records, count, sizeof(records[0]), compare_times);
	return copy_range(db, node, batch, records, count, err);
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
	    advance_offsets(db, spool, batch, err) < 0)
		return -1;
	refuse_strange_times(batch);
	if (ensure_partitions(db, batch, err) < 0 || copy_batch(db, STR(spool->node), batch, err) < 0 ||
	    rollups_store(db, spool->id, batch, err) < 0)
		return -1;
	if (set_aside_damages(spool, batch, err) < 0)
		return -1;
	return batch->refused_count > 0 ? set_aside_refused(spool, batch, err) : 0;
}

int store_batch(struct db *db, const struct spool *spool, struct spool_batch *batch, struct err *err)
{
	if (db_begin(db, err) < 0)
		return -1;
	if (store_in_transaction(db, spool, batch, err) < 0) {
		db_rollback(db);
		return -1;
	}
	return db_commit(db, err);
}
