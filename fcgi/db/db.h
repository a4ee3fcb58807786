/*
 * A blocking connection to PostgreSQL for one process. It connects when first needed, reconnects with a growing pause (100 ms
 * to 2 s), and prepares each statement once per connection. Parameters are always passed separately from the SQL.
 *
 * Every wait has a deadline that holds even when the server hangs: database.connect_timeout_ms to connect, and for a statement
 * database.statement_timeout_ms, which the server enforces, plus DB_GRACE_MS, after which the connection is given up. Only the
 * lookup of a host name in the connection string has no deadline here.
 *
 * Every function fails with an err->code of db/db_error.h, whose table all of db/ shares.
 *
 * A connection lost while it was idle is replaced before the next statement or transaction; the caller does not notice. If the
 * connection is lost during a statement, it is unknown whether the statement was executed: statements marked as reads are then
 * run once more on a new connection, all others fail with ENOTCONN. A transaction whose connection is lost before db_commit is
 * rolled back.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include <libpq-fe.h>
#include <stddef.h>

#include "base/err.h"
#include "conf/conf.h"
#include "db/db_error.h"
#include "db/db_statement.h"
#include "db/db_wire.h"

struct db;

/* Does not connect yet. conf is borrowed for the life of the object. application is shown in pg_stat_activity. */
struct db *db_new(const struct conf *conf, const char *application);
void db_free(struct db **db); /* destructor for AUTO; accepts NULL */

/* Outside a transaction: uses conf, which is borrowed, from now on. Its database.conninfo must not differ. */
void db_set_conf(struct db *db, const struct conf *conf);

/* Runs one statement. On success *result belongs to the caller (PQclear); result may be NULL. */
int db_run(struct db *db, const struct db_statement *statement, const struct db_param *params, PGresult **result,
	   struct err *err);

/*
 * Begins a transaction. db_commit or db_rollback ends it, whatever they return. When the connection is lost, the transaction is
 * rolled back, and everything until db_rollback fails with ENOTCONN. db_rollback without a transaction does nothing.
 */
int db_begin(struct db *db, struct err *err);
int db_commit(struct db *db, struct err *err);
void db_rollback(struct db *db);

/* In a transaction: runs a command without parameters or result, such as SAVEPOINT. */
int db_command(struct db *db, const char *sql, struct err *err);

/* In a transaction: runs sql, a COPY … FROM STDIN, with data as all its input. */
int db_copy(struct db *db, const char *sql, const void *data, size_t len, struct err *err);

/*
 * Whether PostgreSQL became unavailable (a failure with ENOTCONN) or came back since the last call, so that each is logged
 * once, however many requests fail in between. An outage that ended before this call is not reported. *why: the error when it
 * became unavailable; valid until the next call of any function here.
 */
enum db_news { DB_NO_NEWS, DB_AWAY, DB_BACK };
enum db_news db_news(struct db *db, const char **why);

/* 0 when PostgreSQL answers now: for /readyz. */
int db_ping(struct db *db, struct err *err);

#endif
