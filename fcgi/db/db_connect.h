/*
 * How a connection to PostgreSQL begins, for connections that block (db/db.h) and for those of processes that may not block
 * (db/db_async.h).
 */
#ifndef DB_DB_CONNECT_H
#define DB_DB_CONNECT_H

#include <libpq-fe.h>
#include <stdint.h>

#include "conf/conf.h"
#include "db/db_statement.h"

#define DB_GRACE_MS 500

/*
 * Starts connecting; continue with PQconnectPoll. application is shown in pg_stat_activity. The caller owns the result
 * (PQfinish). NULL: out of memory.
 */
PGconn *db_connect_start(const struct conf *conf, const char *application);

/*
 * The first statement of a session, which sets the timeout of its statements: db_connect_timeout. To be sent again when that
 * has changed.
 */
extern const struct db_statement db_connect_session;
struct db_param db_connect_timeout(const struct conf *conf);

/*
 * How long to wait for an answer: database.statement_timeout_ms, which the server enforces, and DB_GRACE_MS for its error to
 * arrive. After that the connection must be given up.
 */
int64_t db_connect_answer_ms(const struct conf *conf);

#endif
