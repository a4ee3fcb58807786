#include "collector/rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "collector/copy.h"

#define METRIC_BYTES 512 /* approximate size of a row in COPY's format */

/* Lists of columns for COPY, from metrics.def. Each begins with a comma, which copy_table() skips. */
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
	if (r->log.len == 0 && r->log_bytes == 0)
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

/* Copies those of the count records that are not refused yet. */
static int copy_records(struct db *db, struct str node, struct spool_record *const *records, size_t count, struct err *err)
{
	AUTO(buf_free) struct buf metrics = {0}, logs = {0};

	copy_begin(&metrics);
	copy_begin(&logs);
	size_t none = logs.len;
	buf_reserve(&metrics, count * METRIC_BYTES);
	for (size_t i = 0; i < count; i++) {
		const struct record *r = &records[i]->record;
		if (records[i]->refused)
			continue;
		if (record_is_invocation(r))
			add_metric(&metrics, node, r);
		if (record_is_invocation(r) || record_is_late(r))
			add_log(&logs, r);
	}
	if (metrics.len > none && copy_table(db, "metrics", metric_columns, &metrics, err) < 0)
		return -1;
	return logs.len > none ? copy_table(db, "invocation_logs", log_columns, &logs, err) : 0;
}

/* Whether the server refuses the data itself, so that trying again cannot help. */
static bool is_refusal(const struct err *err)
{
	return err->code == EINVAL || err->code == EEXIST;
}

/* Copies a range of records; if it is refused, finds the offending records by halving. */
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
		spool_batch_refuse(batch, records[0], why.msg);
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

/*
 * Sorts by time, because only the records of one file are in order: the indexes then grow at their end, and their pages are
 * found faster.
 */
int rows_copy(struct db *db, struct str node, struct spool_batch *batch, struct err *err)
{
	size_t count = batch->record_count;
	AUTO(mem_free) struct spool_record **records = mem_alloc((count + 1) * sizeof(records[0]));

	for (size_t i = 0; i < count; i++)
		records[i] = &batch->records[i];
	qsort(records, count, sizeof(records[0]), compare_times);
	return copy_range(db, node, batch, records, count, err);
}
