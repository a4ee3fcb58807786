#include "db/db_metrics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/uuid.h"

#define ALL_FUNCTIONS "00000000-0000-0000-0000-000000000000"
#define ROWS_MAX      100000 /* some hundred megabytes in memory */

/* The columns before those of rollup.def. */
enum { BUCKET, STATUS, RUNTIME, ERROR_CODE, NUMBERS };

#define ROLLUP_SUM(column, value)               ", " #column
#define ROLLUP_MAX(column, value)               ", " #column
#define ROLLUP_HISTOGRAM(column, value, counts) ", " #column
static const char minutes_sql[] = "select extract(epoch from bucket)::bigint, status, runtime, error_code"
#include "db/rollup.def"
#define WHICH                                                                                                                  \
	" where function_id = $1::uuid and bucket >= $2::timestamptz and bucket < $3::timestamptz "                            \
	"and ($4::text is null or runtime = $4) and ($5::integer = 0 or version = $5) limit $6::integer"
				  " from metrics_minute" WHICH;
static const char hours_sql[] = "select extract(epoch from bucket)::bigint, status, runtime, error_code"
#include "db/rollup.def"
				" from metrics_hour" WHICH;
static const char days_sql[] = "select extract(epoch from bucket)::bigint, status, runtime, error_code"
#include "db/rollup.def"
			       " from metrics_day" WHICH;
#undef ROLLUP_SUM
#undef ROLLUP_MAX
#undef ROLLUP_HISTOGRAM

static const struct db_statement rollups_get[] = {
	[ROLLUP_MINUTE] = {"minutes_get", minutes_sql, 6, .reads = true, .binary = true},
	[ROLLUP_HOUR] = {"hours_get", hours_sql, 6, .reads = true, .binary = true},
	[ROLLUP_DAY] = {"days_get", days_sql, 6, .reads = true, .binary = true},
};

static const struct db_statement function_id_get = {
	.name = "function_id_get",
	.sql = "select " DB_FUNCTION_ID_OF("$1"),
	.param_count = 1,
	.reads = true,
};

static const struct db_statement samples_get = {
	.name = "samples_get",
	.sql = "select step"
#define SAMPLE(column, aggregate, value) ", sum(" #column ") as " #column
#include "db/sample.def"
#undef SAMPLE
	       " from (select floor(extract(epoch from at) / $3)::bigint * $3::bigint as step, node"
#define SAMPLE(column, aggregate, value) ", " #aggregate "(" #column ") as " #column
#include "db/sample.def"
#undef SAMPLE
	       " from system_samples where at >= $1::timestamptz and at < $2::timestamptz "
	       "group by 1, 2) as by_node group by step order by step",
	.param_count = 3,
	.reads = true,
};

int db_rollups(struct db *db, const struct rollup_query *q,
	       int (*take)(const struct rollup_row *row, void *arg, struct err *err), void *arg, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	struct err why;
	const struct db_param params[] = {
		db_text(q->function_id != NULL ? q->function_id : ALL_FUNCTIONS),
		db_time(q->from_us),
		db_time(q->to_us),
		db_text(q->runtime),
		db_int(q->version),
		db_int(ROWS_MAX + 1),
	};

	if (db_run(db, &rollups_get[q->span], params, &r, err) < 0)
		return -1;
	if (PQntuples(r) > ROWS_MAX)
		return db_fail(err, E2BIG, "more than %d rows", ROWS_MAX);
	for (int i = 0; i < PQntuples(r); i++) {
		struct rollup_row row = {
			.bucket_us = (int64_t)buf_get_u64(PQgetvalue(r, i, BUCKET)) * 1000000,
			.status = (int)buf_get_u32(PQgetvalue(r, i, STATUS)),
			.runtime = PQgetvalue(r, i, RUNTIME),
			.error_code = PQgetvalue(r, i, ERROR_CODE),
			.result = r,
			.row = i,
			.first = NUMBERS,
		};
		if (take(&row, arg, &why) < 0)
			return db_fail(err, EIO, "%s", why.msg);
	}
	return 0;
}

int db_function_id(struct db *db, const char *ref, char id[UUID_TEXT_SIZE], struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;

	if (db_run(db, &function_id_get, (struct db_param[]){db_text(ref)}, &r, err) < 0)
		return -1;
	if (PQntuples(r) == 0 || PQgetisnull(r, 0, 0))
		return db_fail(err, ENOENT, "no such function");
	snprintf(id, UUID_TEXT_SIZE, "%s", PQgetvalue(r, 0, 0));
	return 0;
}

int db_samples(struct db *db, int64_t from_us, int64_t to_us, int64_t step_us, PGresult **result, struct err *err)
{
	const struct db_param params[] = {db_time(from_us), db_time(to_us), db_int(step_us / 1000000)};

	return db_run(db, &samples_get, params, result, err);
}
