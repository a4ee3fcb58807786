/* Reads single invocations and their logs. Errors as in db/db.h. */
#ifndef DB_DB_INVOCATIONS_H
#define DB_DB_INVOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "db/db.h"
#include "db/db_array.h"

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
	struct db_param request_id;
};

/* The columns of the results. The first two are the cursor of the next page. */
enum {
	INVOCATION_AT_US,
#define INVOCATION(name, sql) INVOCATION_##name,
#include "db/invocation.def"
#undef INVOCATION
};

/*
 * Newest first. Only function_id has an index: without it every invocation between from and to is read.
 */
int db_invocations(struct db *db, const struct invocation_filter *filter, PGresult **result, struct err *err);

/* Reads the invocation with that id, in the same columns. ENOENT: there is none. */
int db_invocation(struct db *db, const struct uuid *id, PGresult **result, struct err *err);

/* The columns of logs, in binary form. */
enum {
	LOG_INVOCATION_ID,
	LOG_FUNCTION_ID,
	LOG_REQUESTED_AT_US,
	LOG_AT_US, /* of its row: when it was requested, or when late output was read */
	LOG_RESPONSE_US,
	LOG_TEXT,
	LOG_TIMES,
	LOG_STREAMS,
	LOG_LEVELS,
	LOG_BYTES,
	LOG_LATE, /* whether it was printed after the answer */
	LOG_ERROR_CODE,
	LOG_ERROR_MESSAGE,
	LOG_REQUEST_ID,
	LOG_STORED_IN,
	LOG_SIZE, /* size of the four columns that may be large */

	/* Further columns of db_logs_news; the three columns between are internal to the statement. */
	LOG_ASKER = LOG_SIZE + 4, /* the request that the row belongs to: 1, 2, … */
	LOG_ASKED,                /* the id of the function, or NULL */
	LOG_FOUND,                /* the number of rows there would be without the limit on bytes */
	LOG_HORIZON,              /* the oldest transaction that had not ended */
};

/* The position of a request that follows the logs of a function: behind one log, or behind all logs of some transactions. */
struct log_place {
	int64_t stored_in;
	bool in_midst; /* whether it is behind the log with these; otherwise it is before the first log that stored_in has
			  stored */
	int64_t at_us;
	struct uuid id;
};

/* Moves the place behind a row of logs, for callers that answer with no more than that row. */
void db_log_place(const PGresult *logs, int row, struct log_place *place);

/*
 * The question of all requests that follow logs, in one statement. For each request the answer has the logs of its function
 * that were stored behind its place, in the order in which they were stored, and at most limit of them. place.stored_in < 0
 * asks for the newest logs, however old. The logs of all requests together are limited to bytes bytes, so later requests may
 * get none.
 */
struct db_log_asker {
	const char *ref; /* the function: its id, which may be that of a deleted one, or its name */
	struct log_place place;
	int limit;
};

/* The parameters of db_logs_news. Zero-initialise it. */
struct db_log_question {
	struct db_array arrays[5];
	struct db_param params[6];
};
extern const struct db_statement db_logs_news;
void db_log_question_make(struct db_log_question *question, const struct db_log_asker *askers, size_t count, int bytes);
void db_log_question_free(struct db_log_question *question); /* destructor for AUTO */

struct db_log_reply {
	bool known; /* whether the function exists or existed */
	struct uuid function_id;
	int first, count;       /* rows of the result, with the columns of logs */
	bool again;             /* there are logs, but they had no room in the result: ask again */
	struct log_place place; /* behind these logs */
};

/* Reads the answer to the request whose rows begin at row. Returns the row at which those of the next request begin. */
int db_log_reply(const PGresult *result, int row, const struct db_log_asker *asker, struct db_log_reply *news);

/*
 * Reads the logs of the invocation with that id: one row, even if it printed nothing, and then rows of late output; if it
 * printed nothing before its answer, the first row may be one of those. ENOENT: there is no such invocation.
 */
int db_invocation_log(struct db *db, const struct uuid *id, PGresult **result, struct err *err);

#endif
