/* Reads single invocations and their logs. Errors as in db/db.h. */
#ifndef DB_DB_INVOCATIONS_H
#define DB_DB_INVOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "db/db.h"

/* Conditions; a parameter that is SQL NULL (all zeros) matches any invocation. */
struct invocation_filter {
	struct db_param function_id;
	struct db_param from, to;             /* times, excluding to */
	struct db_param before_at, before_id; /* time and id of the last invocation of the previous page */
	struct db_param status_least, status_most;
	struct db_param failed; /* whether the invocation is an error */
	struct db_param error_code, version, runtime, start_kind;
	struct db_param slower_than_ms;
	struct db_param text; /* substring of the log: ASCII, case-insensitive, not a pattern */
	struct db_param limit;
};

/* The columns of the results. The first two are the cursor of the next page. */
enum {
	INVOCATION_AT_US,
#define INVOCATION(name, sql) INVOCATION_##name,
#include "db/invocation.def"
#undef INVOCATION
};

/* Newest first. */
int db_invocations(struct db *db, const struct invocation_filter *filter, PGresult **result, struct err *err);

/* Reads the invocation with that id, in the same columns. ENOENT: there is none. */
int db_invocation(struct db *db, const struct uuid *id, PGresult **result, struct err *err);

/* The columns of logs, in binary form. */
enum {
	LOG_INVOCATION_ID,
	LOG_FUNCTION_ID,
	LOG_REQUESTED_AT_US,
	LOG_RESPONSE_US,
	LOG_TEXT,
	LOG_TIMES,
	LOG_STREAMS,
	LOG_BYTES,
	LOG_ORPHAN_BYTES,
	LOG_ERROR_CODE,
	LOG_ERROR_MESSAGE,
	LOG_REQUEST_ID,
	LOG_STORED_IN,
	LOG_SIZE, /* size of the three columns that may be large */

	/* Further columns of db_logs_after. */
	LOG_FOUND,   /* the number of rows there would be without the limit on bytes */
	LOG_BEFORE,  /* bytes in the rows before */
	LOG_HORIZON, /* the oldest transaction that had not ended */
};

/* The position of a request that follows the logs of a function: behind one log, or behind all logs of some transactions. */
struct log_place {
	int64_t stored_in;
	bool in_midst; /* whether it is behind the log with these; otherwise it is before the first log that stored_in has
			  stored */
	int64_t at_us;
	struct uuid id;
};

/*
 * Reads the logs of a function that were stored after *place, in the order in which they were stored: at most limit, and only
 * until they have bytes bytes. All rows have the columns of logs. Moves *place behind the last one. stored_in < 0: reads the
 * newest logs.
 */
int db_logs_after(struct db *db, const char *function_id, int limit, int bytes, struct log_place *place, PGresult **result,
		  struct err *err);

/* Moves the place behind a row of logs, for callers that answer with no more than that row. */
void db_log_place(const PGresult *logs, int row, struct log_place *place);

/* Whether that transaction or a later one has stored any log, so that db_logs_after may find something. */
int db_logs_since(struct db *db, int64_t stored_in, bool *any, struct err *err);

/* Reads the log of the invocation with that id: one row, even if it printed nothing. ENOENT: there is no such invocation. */
int db_invocation_log(struct db *db, const struct uuid *id, PGresult **result, struct err *err);

#endif
