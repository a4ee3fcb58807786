/* Reads the sums of invocations and the samples of machines. Errors as in db/db.h. */
#ifndef DB_DB_METRICS_H
#define DB_DB_METRICS_H

#include "db/db.h"
#include "db/rollup.h"

/* Selects rows of a rollup table. */
struct rollup_query {
	enum rollup_span span;
	int64_t from_us, to_us;  /* wall clock, excluding to_us */
	const char *function_id; /* NULL: all functions together */
	const char *runtime;     /* NULL: any */
	int64_t version;         /* 0: any */
};

/* One row; valid until the callback returns. */
struct rollup_row {
	int64_t bucket_us;
	int status;
	const char *runtime, *error_code; /* "" */
	const PGresult *result;           /* for rollup_merge_row */
	int row, first;
};

/* Calls take for each row, in no particular order, until it returns -1. E2BIG: there are too many rows for one answer. */
int db_rollups(struct db *db, const struct rollup_query *query,
	       int (*take)(const struct rollup_row *row, void *arg, struct err *err), void *arg, struct err *err);

/*
 * SQL for the id of a function that exists or existed: ref is its id, or the name of one that is not deleted. null: there is
 * none.
 */
#define DB_FUNCTION_ID_OF(ref)                                                                                                 \
	"coalesce(function_id_of(" ref "), (select function_id from functions where function_id = "                            \
	"case when " ref " ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then " ref "::uuid end))"

/* The id of that function. ENOENT: there is none. */
int db_function_id(struct db *db, const char *ref, char id[UUID_TEXT_SIZE], struct err *err);

/*
 * Reads the columns of sample.def for the steps from from_us to to_us that have samples; the first column is the step's start
 * in seconds.
 */
int db_samples(struct db *db, int64_t from_us, int64_t to_us, int64_t step_us, PGresult **result, struct err *err);

#endif
