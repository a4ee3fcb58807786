#include "db/db_connect.h"

#include <stddef.h>

/*
 * Set by a statement and not in the startup packet, because connection poolers refuse unknown parameters there. JIT is off,
 * because statements here are short, while compiling one over many partitions takes seconds. Parallel workers are off, so that
 * the number of connections bounds the use of the server's processors.
 */
const struct db_statement db_connect_session = {
	.name = "session",
	.sql = "select set_config('statement_timeout', $1, false), set_config('jit', 'off', false), "
	       "set_config('max_parallel_workers_per_gather', '0', false)",
	.param_count = 1,
	.varies = true,
};

struct db_param db_connect_timeout(const struct conf *conf)
{
	return db_int(conf->database_statement_timeout_ms);
}

int64_t db_connect_answer_ms(const struct conf *conf)
{
	return conf->database_statement_timeout_ms + DB_GRACE_MS;
}

/* Ignores notices, which are meant for people at a terminal. */
static void ignore_notice(void *user, const PGresult *notice)
{
	(void)user;
	(void)notice;
}

PGconn *db_connect_start(const struct conf *conf, const char *application)
{
	const char *const keys[] = {"dbname", "application_name", "client_encoding", NULL};
	const char *const values[] = {conf->database_conninfo, application, "UTF8", NULL};
	PGconn *conn = PQconnectStartParams(keys, values, 1 /* dbname is a connection string */);

	if (conn != NULL)
		PQsetNoticeReceiver(conn, ignore_notice, NULL);
	return conn;
}
