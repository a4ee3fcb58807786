#include "db/db.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "db/db_connect.h"

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS                                                                                                           \
	2000 /* short enough that a client which comes back after Retry-After (ipc/problem.def) is not refused because of the  \
		pause */

struct db {
	const struct conf *conf;
	char *application;
	PGconn *conn;        /* NULL while not connected */
	bool in_transaction; /* from db_begin to the end of the transaction, even if the connection was lost */

	int pause_ms;        /* pause after the latest failure to connect; 0 after a success */
	int64_t retry_at_us; /* no attempt to connect before this time */
	struct err why;      /* the latest attempt to connect failed */

	bool away;       /* there was no answer since the latest failure with ENOTCONN */
	bool known_away; /* the state that db_news reported last */
	struct err away_why;

	const struct db_statement **prepared; /* the statements prepared on conn */
	size_t prepared_count;
};

static void note_away(struct db *db, const struct err *why)
{
	db->away = true;
	db->away_why = *why;
}

enum db_news db_news(struct db *db, const char **why)
{
	*why = db->away_why.msg;
	if (db->away == db->known_away)
		return DB_NO_NEWS;
	db->known_away = db->away;
	return db->away ? DB_AWAY : DB_BACK;
}

static void lose(struct db *db)
{
	db_wire_close(&db->conn);
	db->prepared_count = 0;
}

struct db *db_new(const struct conf *conf, const char *application)
{
	struct db *db = mem_alloc(sizeof(*db));

	db->conf = conf;
	db->application = mem_strdup(application);
	return db;
}

void db_free(struct db **db)
{
	if (*db == NULL)
		return;
	lose(*db);
	mem_free(&(*db)->application);
	mem_free(&(*db)->prepared);
	mem_free(db);
}

void db_set_conf(struct db *db, const struct conf *conf)
{
	assert(!db->in_transaction);
	/* The server got the old timeout when the session began. */
	if (conf->database_statement_timeout_ms != db->conf->database_statement_timeout_ms)
		lose(db);
	db->conf = conf;
}

/* Ends an exchange: judges the result, and drops a connection that is no longer usable. */
static enum db_outcome conclude(struct db *db, enum db_outcome outcome, const PGresult *result, struct err *err)
{
	struct err why = {0};

	if (outcome == DB_DONE)
		outcome = db_error_judge(db->conn, result, &why);
	else if (outcome == DB_SILENT)
		db_error_silent(&why);
	else
		db_error_lost(db->conn, &why);
	if (outcome == DB_LOST || outcome == DB_SILENT) {
		note_away(db, &why);
		lose(db);
	} else {
		db->away = false;
	}
	if (outcome != DB_DONE)
		db_fail(err, why.code, "%s", why.msg);
	return outcome;
}

static int64_t statement_deadline(const struct db *db)
{
	return clock_mono_us() + db_connect_answer_ms(db->conf) * 1000;
}

/* sent: the result of the PQsend… function. */
static enum db_outcome exchange(struct db *db, int sent, int64_t deadline_us, PGresult **result, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	enum db_outcome outcome = sent ? db_wire_collect(db->conn, deadline_us, &r) : DB_LOST;

	outcome = conclude(db, outcome, r, err);
	if (outcome == DB_DONE && result != NULL)
		*result = TAKE_PTR(r);
	return outcome;
}

static enum db_outcome simple(struct db *db, const char *sql, PGresult **result, struct err *err)
{
	return exchange(db, PQsendQuery(db->conn, sql), statement_deadline(db), result, err);
}

static int begin_session(const struct db *db, PGconn *conn, int64_t deadline_us)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	const struct db_param timeout = db_connect_timeout(db->conf);

	if (!db_statement_send(conn, &db_connect_session, &timeout) || db_wire_collect(conn, deadline_us, &r) != DB_DONE)
		return -1;
	return db_error_judge(conn, r, NULL) == DB_DONE ? 0 : -1;
}

static int try_connect(struct db *db)
{
	int64_t timeout_ms = db->conf->database_connect_timeout_ms;
	int64_t deadline_us = clock_mono_us() + timeout_ms * 1000;
	AUTO(db_wire_close) PGconn *conn = db_connect_start(db->conf, db->application);

	if (db_wire_connect(conn, deadline_us) < 0 || begin_session(db, conn, deadline_us) < 0)
		return db_error_unreachable(conn, timeout_ms, &db->why);
	db->conn = TAKE_PTR(conn);
	return 0;
}

static int connect_with_pause(struct db *db, struct err *err)
{
	if (clock_mono_us() >= db->retry_at_us) {
		if (try_connect(db) == 0) {
			db->pause_ms = 0;
			return 0;
		}
		db->pause_ms = db->pause_ms ? MIN(db->pause_ms * 2, PAUSE_MAX_MS) : PAUSE_MIN_MS;
		db->retry_at_us = clock_mono_us() + db->pause_ms * 1000;
	}
	note_away(db, &db->why);
	return db_fail(err, db->why.code, "%s", db->why.msg);
}

/* Makes sure that there is a connection which was alive a moment ago. Nothing of the caller's statement has been sent on it. */
static int need_connection(struct db *db, struct err *err)
{
	if (db->in_transaction)
		return db->conn != NULL ? 0 : db_fail(err, ENOTCONN, "the connection to PostgreSQL was lost in a transaction");
	if (db->conn != NULL && db_wire_was_closed(db->conn))
		lose(db);
	return db->conn != NULL ? 0 : connect_with_pause(db, err);
}

static enum db_outcome prepare(struct db *db, const struct db_statement *s, int64_t deadline_us, struct err *err)
{
	for (size_t i = 0; i < db->prepared_count; i++)
		if (db->prepared[i] == s)
			return DB_DONE;

	enum db_outcome outcome = exchange(db, db_statement_prepare(db->conn, s), deadline_us, NULL, err);
	if (outcome != DB_DONE)
		return outcome;
	db->prepared = mem_realloc(db->prepared, (db->prepared_count + 1) * sizeof(*db->prepared));
	db->prepared[db->prepared_count++] = s;
	return DB_DONE;
}

static enum db_outcome run_once(struct db *db, const struct db_statement *s, const struct db_param *params, PGresult **result,
				struct err *err)
{
	int64_t deadline_us = statement_deadline(db);
	enum db_outcome outcome = s->varies ? DB_DONE : prepare(db, s, deadline_us, err);

	if (outcome != DB_DONE)
		return outcome;
	return exchange(db, db_statement_send(db->conn, s, params), deadline_us, result, err);
}

/* Drops the connection and its prepared statements; the next use prepares them on a new connection. */
static bool worth_repeating(struct db *db, const struct db_statement *s, enum db_outcome outcome)
{
	if (outcome == DB_STALE && !db->in_transaction)
		lose(db);
	return !db->in_transaction && (outcome == DB_STALE || (outcome == DB_LOST && s->reads));
}

int db_run(struct db *db, const struct db_statement *statement, const struct db_param *params, PGresult **result,
	   struct err *err)
{
	struct err why;
	enum db_outcome outcome = DB_LOST;

	for (int attempt = 0; attempt < 2; attempt++) {
		if (need_connection(db, err) < 0)
			return -1;
		outcome = run_once(db, statement, params, result, &why);
		if (outcome == DB_DONE)
			return 0;
		if (!worth_repeating(db, statement, outcome))
			break;
	}
	return db_fail(err, why.code, "%s", why.msg);
}

int db_begin(struct db *db, struct err *err)
{
	struct err why;

	assert(!db->in_transaction);
	/* Tried twice, because nothing is lost when a connection breaks during BEGIN. */
	for (int attempt = 0; attempt < 2; attempt++) {
		if (need_connection(db, err) < 0)
			return -1;
		enum db_outcome outcome = simple(db, "begin", NULL, &why);
		db->in_transaction = outcome == DB_DONE;
		if (outcome == DB_DONE)
			return 0;
		if (outcome != DB_LOST)
			break;
	}
	return db_fail(err, why.code, "%s", why.msg);
}

int db_commit(struct db *db, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	struct err why;

	assert(db->in_transaction);
	if (need_connection(db, err) < 0) {
		db_rollback(db);
		return -1;
	}
	enum db_outcome outcome = simple(db, "commit", &r, &why);
	if (outcome != DB_DONE) {
		db_rollback(db);
		return db_fail(err, outcome == DB_LOST || outcome == DB_SILENT ? EINPROGRESS : why.code, "%s", why.msg);
	}
	db->in_transaction = false;
	/* The server answers COMMIT with ROLLBACK when an earlier statement had failed. */
	if (strcmp(PQcmdStatus(r), "ROLLBACK") == 0)
		return db_fail(err, EIO, "PostgreSQL rolled the transaction back");
	return 0;
}

void db_rollback(struct db *db)
{
	if (!db->in_transaction)
		return;
	db->in_transaction = false;
	if (db->conn == NULL || PQtransactionStatus(db->conn) == PQTRANS_IDLE)
		return;
	if (simple(db, "rollback", NULL, NULL) != DB_DONE)
		lose(db);
}

int db_command(struct db *db, const char *sql, struct err *err)
{
	assert(db->in_transaction);
	if (need_connection(db, err) < 0)
		return -1;
	return simple(db, sql, NULL, err) == DB_DONE ? 0 : -1;
}

int db_copy(struct db *db, const char *sql, const void *data, size_t len, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	int64_t deadline_us = statement_deadline(db);

	assert(db->in_transaction);
	if (need_connection(db, err) < 0)
		return -1;
	if (exchange(db, PQsendQuery(db->conn, sql), deadline_us, NULL, err) != DB_DONE)
		return -1;
	enum db_outcome outcome = db_wire_copy(db->conn, data, len, deadline_us);
	if (outcome == DB_DONE)
		outcome = db_wire_collect(db->conn, deadline_us, &r);
	return conclude(db, outcome, r, err) == DB_DONE ? 0 : -1;
}

int db_ping(struct db *db, struct err *err)
{
	static const struct db_statement ping = {.name = "db_ping", .sql = "select 1", .reads = true};

	return db_run(db, &ping, NULL, NULL, err);
}
