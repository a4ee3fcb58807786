/*
 * A blocking connection to PostgreSQL for one process: connects when first needed, reconnects with a growing pause (100 ms to
 * 2 s), prepares each statement once per connection. Parameters are always passed apart from the SQL.
 *
 * Every wait has a deadline that holds even when the server hangs: database.connect_timeout_ms to connect, and for a statement
 * database.statement_timeout_ms, which the server keeps, plus DB_GRACE_MS, after which the connection is given up. Only the
 * look-up of a host name in the connection string is up to the resolver.
 *
 * Every function fails with an err->code of db/db_error.h, whose table all of db/ shares.
 *
 * A connection lost while PostgreSQL was idle is replaced before the next statement or transaction; the caller does not notice.
 * One lost under a statement leaves open whether the statement was carried out: statements marked as reads are then run once
 * more on a new connection, all others fail with ENOTCONN. In a transaction nothing is left open until db_commit: what was lost
 * before is rolled back.
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

/* Does not connect yet. conf is borrowed for the life of the object. application: shown in pg_stat_activity. */
struct db *db_new(const struct conf *conf, const char *application);
void db_free(struct db **db); /* destructor for AUTO; accepts NULL */

/* Outside a transaction: from now on conf holds, and is borrowed. Where the database is must not have changed. */
void db_set_conf(struct db *db, const struct conf *conf);

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

#endif
