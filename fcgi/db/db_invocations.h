/* Single invocations and what they printed, as the collector stores them. Errors as in db/db.h. */
#ifndef DB_DB_INVOCATIONS_H
#define DB_DB_INVOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "db/db.h"

/* Which ones; SQL NULL (of zeros): any. */
struct invocation_filter {
	struct db_param function_id;
	struct db_param from, to;             /* times, to not included */
	struct db_param before_at, before_id; /* the last one of the page before: its time and id */
	struct db_param status_least, status_most;
	struct db_param failed; /* whether it is */
	struct db_param error_code, version, runtime, start_kind;
	struct db_param slower_than_ms;
	struct db_param text; /* in the log: ASCII, found in either case, without any pattern */
	struct db_param limit;
};

/* The columns of the results. The first two are where the next page begins. */
enum {
	INVOCATION_AT_US,
#define INVOCATION(name, sql) INVOCATION_##name,
#include "db/invocation.def"
#undef INVOCATION
};

/* Newest first. */
int db_invocations(struct db *db, const struct invocation_filter *filter, PGresult **result, struct err *err);

/* The one with that id, in the same columns. ENOENT. */
int db_invocation(struct db *db, const struct uuid *id, PGresult **result, struct err *err);

/* The columns of logs; binary. */
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
	LOG_SIZE, /* of the three columns that may be large */

	/* In rows of db_logs_after. */
	LOG_FOUND,   /* how many rows there would be, did bytes not count */
	LOG_BEFORE,  /* bytes in the rows before */
	LOG_HORIZON, /* the oldest transaction that has not ended */
};

/* Where somebody stands who follows the logs of a function: behind one of them, or behind all of some transactions. */
struct log_place {
	int64_t stored_in;
	bool in_midst; /* behind the one of these; else before the first that stored_in has stored */
	int64_t at_us;
	struct uuid id;
};

/*
 * What the invocations of a function printed that were stored after *place, in the order they were stored, limit at most, and
 * no more when these are bytes bytes; all rows have the columns of logs. *place moves behind the last. stored_in < 0: the
 * newest ones.
 */
int db_logs_after(struct db *db, const char *function_id, int limit, int bytes, struct log_place *place, PGresult **result,
		  struct err *err);

/* Behind a row of logs, for who tells no more than that. */
void db_log_place(const PGresult *logs, int row, struct log_place *place);

/* Whether any log was stored by that transaction or a later one: then db_logs_after is worth asking. */
int db_logs_since(struct db *db, int64_t stored_in, bool *any, struct err *err);

/* What the invocation with that id printed: one row, also when it printed nothing. ENOENT. */
int db_invocation_log(struct db *db, const struct uuid *id, PGresult **result, struct err *err);

#endif
