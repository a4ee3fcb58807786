/*
 * A blocking connection to PostgreSQL for one process: connects when first needed, reconnects with a growing pause (100 ms to
 * 2 s), prepares each statement once per connection. Parameters are always passed apart from the SQL.
 *
 * Every wait has a deadline that holds even when the server hangs: database.connect_timeout_ms to connect, and for a statement
 * database.statement_timeout_ms, which the server keeps, plus DB_GRACE_MS, after which the connection is given up. Only the
 * look-up of a host name in the connection string is up to the resolver.
 *
 * Every function fails with an err->code from this table:
 *
 *   ENOTCONN   PostgreSQL cannot be reached (answered at once during the pause) or stopped answering. Try later.
 *   EAGAIN     it is short of memory, disk or connections, or a deadlock was broken. Try later.
 *   ETIMEDOUT  it cancelled the statement after database.statement_timeout_ms. Try later, or less at once.
 *   EEXIST     the data breaks a unique constraint.
 *   EINVAL     the data is refused: another constraint, a value out of range, text that is no text.
 *   EINPROGRESS  db_commit: the connection was lost, or fell silent, once COMMIT was sent. Only reading tells whether the
 *              transaction was committed, and only once it has ended: wait for what it has locked.
 *   EIO        anything else; the message is the server's.
 *
 * A connection lost while PostgreSQL was idle is replaced before the next statement or transaction; the caller does not notice.
 * One lost under a statement leaves open whether the statement was carried out: statements marked as reads are then run once
 * more on a new connection, all others fail with ENOTCONN. In a transaction nothing is left open until db_commit: what was lost
 * before is rolled back.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "conf/conf.h"

#define DB_GRACE_MS   500
#define DB_PARAMS_MAX 40

struct db;

/* Does not connect yet. conf is borrowed for the life of the object. application: shown in pg_stat_activity. */
struct db *db_new(const struct conf *conf, const char *application);
void db_free(struct db **db); /* destructor for AUTO; accepts NULL */

/* Outside a transaction: from now on conf holds, and is borrowed. Where the database is must not have changed. */
void db_set_conf(struct db *db, const struct conf *conf);

/* One statement; each is one static object, known to the connection by its name. */
struct db_statement {
	const char *name; /* unique in the process */
	const char *sql;
	int param_count; /* at most DB_PARAMS_MAX */
	bool reads;      /* changes nothing: may be run again when the connection is lost under it */
	bool binary;     /* results are in binary form, not text */
	bool varies;     /* the parameters decide how it is best carried out: planned anew each time, not prepared */
};

/*
 * A parameter: text, or bytes in binary form. {NULL} is SQL NULL.
 */
struct db_param {
	const char *value;
	int len;    /* for binary */
	int binary; /* 0: NUL-terminated text */
};

/* Runs one statement. On success *result (result may be NULL when nothing is wanted) is the caller's: PQclear. */
int db_run(struct db *db, const struct db_statement *statement, const struct db_param *params, PGresult **result,
	   struct err *err);

/*
 * A transaction spans the calls between; db_commit or db_rollback ends it, and after either none is open, whatever it returned.
 * A lost connection has rolled it back; until db_rollback everything then fails with ENOTCONN. db_rollback without a
 * transaction does nothing.
 */
int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);

/* In a transaction: a command without parameters or result, such as SAVEPOINT. */
int db_command(struct db *db, const char *sql, struct err *err);

/* In a transaction: sql is a COPY … FROM STDIN, data all that goes in. */
int db_copy(struct db *db, const char *sql, const void *data, size_t len, struct err *err);

/*
 * Whether PostgreSQL went away (a failure with ENOTCONN) or came back since the last call: for one line in the log at each,
 * however many requests fail in between. What was over before anybody asked is not news. *why: what was said when it went;
 * stays valid until the next call of any function here.
 */
enum db_news { DB_NO_NEWS, DB_AWAY, DB_BACK };
enum db_news db_news(struct db *db, const char **why);

/* 0 when PostgreSQL answers now: for /readyz. */
int db_ping(struct db *db, struct err *err);

/* Fails like err_set, with a code from the table above whose errno text would only confuse. */
int db_fail(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Destructor for AUTO. */
void db_result_clear(PGresult **result);

#endif
