/*
 * Maps PostgreSQL's errors and the states of a connection to one set of codes, with a message. Every function of db/ fails with
 * an err->code from this table:
 *
 *   ENOTCONN   PostgreSQL cannot be reached (answered at once during the pause) or stopped answering. Try later.
 *   EAGAIN     it is short of memory, disk or connections, or a deadlock was broken. Try later.
 *   ETIMEDOUT  it cancelled the statement after database.statement_timeout_ms. Try later, or less at once.
 *   EEXIST     the data breaks a unique constraint.
 *   EINVAL     the data is refused: another constraint, a value out of range, text that is no text.
 *   EINPROGRESS  db_commit: the connection was lost, or fell silent, once COMMIT was sent. Only reading tells whether the
 *              transaction was committed, and only once it has ended: wait for what it has locked.
 *   EIO        anything else; the message is the server's.
 */
#ifndef DB_DB_ERROR_H
#define DB_DB_ERROR_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/defs.h"
#include "base/err.h"

/* How an exchange with the server ended, which decides what may follow. */
enum db_outcome {
	DB_DONE,
	DB_REFUSED, /* an error from the server; the connection is usable */
	DB_STALE,   /* the prepared statement no longer fits the schema; nothing was executed */
	DB_LOST,    /* the connection is broken, or about to break */
	DB_SILENT,  /* no answer before the deadline */
};

/* Judges a result. Fills *err unless it is DB_DONE; never returns DB_SILENT. */
enum db_outcome db_error_judge(const PGconn *conn, const PGresult *result, struct err *err);

/* Fail with ENOTCONN, with the message for a connection that broke, that got no answer, or that could not be established. */
int db_error_lost(const PGconn *conn, struct err *err);
int db_error_silent(struct err *err);
int db_error_unreachable(const PGconn *conn, int64_t timeout_ms, struct err *err);

/* Fails like err_set, with a code from the table above, without its errno text, which would only confuse. */
int db_fail(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
