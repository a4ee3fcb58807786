/* Single invocations and what they printed, as the collector stores them. Errors as in db/db.h. */
#ifndef DB_DB_INVOCATIONS_H
#define DB_DB_INVOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "db/db.h"
#include "db/db_array.h"

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

	/* In rows of db_logs_news; the three before these are only PostgreSQL's. */
	LOG_ASKER = LOG_SIZE + 4, /* whose row it is: 1, 2, … */
	LOG_ASKED,                /* the id of the function, or NULL */
	LOG_FOUND,                /* how many rows there would be, did bytes not count */
	LOG_HORIZON,              /* the oldest transaction that has not ended */
};

/* Where somebody stands who follows the logs of a function: behind one of them, or behind all of some transactions. */
struct log_place {
	int64_t stored_in;
	bool in_midst; /* behind the one of these; else before the first that stored_in has stored */
	int64_t at_us;
	struct uuid id;
};

/* Behind a row of logs, for who tells no more than that. */
void db_log_place(const PGresult *logs, int row, struct log_place *place);

/*
 * What those who follow ask together, in one statement: for each what the invocations of a function printed that were stored
 * behind its place, in the order they were stored, limit at most. place.stored_in < 0: the newest ones, however long ago. When
 * the logs are bytes bytes there are no more, and who stands behind may get none of his.
 */
struct db_log_asker {
	const char *ref; /* the function: an id, also of one that was deleted, or a name */
	struct log_place place;
	int limit;
};

/* The parameters. Zero-initialise it. */
struct db_log_question {
	struct db_array arrays[5];
	struct db_param params[6];
};
extern const struct db_statement db_logs_news;
void db_log_question_make(struct db_log_question *question, const struct db_log_asker *askers, size_t count, int bytes);
void db_log_question_free(struct db_log_question *question); /* destructor for AUTO */

struct db_log_reply {
	bool known; /* there is the function, or was */
	struct uuid function_id;
	int first, count;       /* rows of the result, with the columns of logs */
	bool again;             /* there are logs, but no room for them: ask again */
	struct log_place place; /* behind them */
};

/* What the answer says to the one whose rows begin with row. Returns where those of the next one do. */
int db_log_reply(const PGresult *result, int row, const struct db_log_asker *asker, struct db_log_reply *news);

/* What the invocation with that id printed: one row, also when it printed nothing. ENOENT. */
int db_invocation_log(struct db *db, const struct uuid *id, PGresult **result, struct err *err);

#endif
