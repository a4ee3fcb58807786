#include "db/db.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ipc/pulse.h"

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 2000 /* who comes back after the API's Retry-After (http/problem.def) is not refused for it */
#define COPY_CHUNK   (64u << 10)
#define TEXT_SIZE    320

struct db {
	const struct conf *conf;
	char *application;
	PGconn *conn;        /* NULL while not connected */
	bool in_transaction; /* from db_begin to its end, even when the connection was lost under it */

	int pause_ms;        /* after the latest failure to connect; 0 after a success */
	int64_t retry_at_us; /* no attempt to connect before */
	char why[TEXT_SIZE]; /* the latest attempt failed */

	bool away;       /* the latest failure with ENOTCONN was not followed by an answer */
	bool known_away; /* what db_news has told */
	struct err away_why;

	const struct db_statement **prepared; /* known to conn */
	size_t prepared_count;
};

/* How an exchange with the server ended, and so what may follow. */
enum outcome {
	DONE,
	REFUSED, /* an error from the server; the connection is good */
	STALE,   /* the prepared statement no longer fits the schema; nothing was executed */
	LOST,    /* the connection broke */
	SILENT,  /* no answer before the deadline */
};

int db_fail(struct err *err, int code, const char *fmt, ...)
{
	char text[sizeof(err->msg)];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(text))
		err_end_whole(text, sizeof(text) - 1);
	err_set(err, 0, "%s", text);
	if (err != NULL)
		err->code = code;
	return -1;
}

void db_result_clear(PGresult **result)
{
	PQclear(*result);
	*result = NULL;
}

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

static void conn_close(PGconn **conn)
{
	PQfinish(*conn);
	*conn = NULL;
}

static void lose(struct db *db)
{
	conn_close(&db->conn);
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
	/* The server was told the old timeout when the session began. */
	if (conf->database_statement_timeout_ms != db->conf->database_statement_timeout_ms)
		lose(db);
	db->conf = conf;
}

/* libpq's messages have several lines and end in a newline. */
static void one_line(const char *text, char out[TEXT_SIZE])
{
	size_t len = 0;
	const char *p;

	for (p = text; *p != '\0' && len + 1 < TEXT_SIZE; p++) {
		bool space = *p == '\n' || *p == '\t' || *p == ' ';
		if (!space)
			out[len++] = *p;
		else if (len > 0 && out[len - 1] != ' ')
			out[len++] = ' ';
	}
	if (*p != '\0')
		len = err_end_whole(out, len);
	while (len > 0 && out[len - 1] == ' ')
		len--;
	out[len] = '\0';
}

/* Waits for the socket; the events that came, or 0 at the deadline. */
static short wait_socket(PGconn *conn, short events, int64_t deadline_us)
{
	struct pollfd p = {.fd = PQsocket(conn), .events = events};
	int n;

	do {
		pulse_beat();
		n = poll(&p, 1, clock_left_ms(pulse_due_us(deadline_us)));
	} while ((n < 0 && errno == EINTR) || (n == 0 && clock_left_ms(deadline_us) > 0));
	return n > 0 ? p.revents : 0;
}

/* Sends what libpq still holds. Reads meanwhile, lest both sides wait for the other to read. */
static enum outcome flush(PGconn *conn, int64_t deadline_us)
{
	int rc;

	while ((rc = PQflush(conn)) == 1) {
		short events = wait_socket(conn, POLLIN | POLLOUT, deadline_us);
		if (events == 0)
			return SILENT;
		if ((events & POLLIN) && !PQconsumeInput(conn))
			return LOST;
	}
	return rc == 0 ? DONE : LOST;
}

static enum outcome next_result(PGconn *conn, int64_t deadline_us, PGresult **result)
{
	while (PQisBusy(conn)) {
		if (wait_socket(conn, POLLIN, deadline_us) == 0)
			return SILENT;
		if (!PQconsumeInput(conn))
			return LOST;
	}
	*result = PQgetResult(conn);
	return DONE;
}

/* The first result of what was just sent; the ones after it only matter to libpq. */
static enum outcome collect(PGconn *conn, int64_t deadline_us, PGresult **result)
{
	AUTO(db_result_clear) PGresult *first = NULL;
	enum outcome outcome = flush(conn, deadline_us);

	while (outcome == DONE) {
		AUTO(db_result_clear) PGresult *r = NULL;
		outcome = next_result(conn, deadline_us, &r);
		if (outcome != DONE || r == NULL)
			break;
		bool copying = PQresultStatus(r) == PGRES_COPY_IN;
		if (first == NULL)
			first = TAKE_PTR(r);
		if (copying)
			break;
	}
	if (outcome == DONE && first == NULL)
		outcome = LOST;
	if (outcome == DONE)
		*result = TAKE_PTR(first);
	return outcome;
}

/* What the server's error codes (SQLSTATE) mean here; the first prefix that fits. */
static const struct refusal {
	const char *sqlstate;
	enum outcome outcome;
	int code;
} refusals[] = {
	{"23505", REFUSED, EEXIST},    /* unique_violation */
	{"57014", REFUSED, ETIMEDOUT}, /* query_canceled: statement_timeout */
	{"55P03", REFUSED, ETIMEDOUT}, /* lock_not_available */
	{"0A000", STALE, EIO},         /* "cached plan must not change result type" */
	{"26000", STALE, EIO},         /* prepared statement does not exist */
	{"57P", LOST, ENOTCONN},       /* shutting down, starting up */
	{"08", LOST, ENOTCONN},        /* connection exceptions */
	{"22", REFUSED, EINVAL},       /* data exceptions */
	{"23", REFUSED, EINVAL},       /* integrity constraints */
	{"54", REFUSED, EINVAL},       /* program limit exceeded: too large a row */
	{"40", REFUSED, EAGAIN},       /* deadlock, serialization failure */
	{"53", REFUSED, EAGAIN},       /* insufficient resources */
	{"", REFUSED, EIO},
};

/* DONE, or fills *err. */
static enum outcome judge(PGconn *conn, const PGresult *result, struct err *err)
{
	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_COPY_IN:
		return DONE;
	default:
		break;
	}

	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const struct refusal *r = refusals;
	char text[TEXT_SIZE];

	one_line(primary != NULL ? primary : PQresultErrorMessage(result), text);
	if (sqlstate == NULL && PQstatus(conn) == CONNECTION_BAD) {
		db_fail(err, ENOTCONN, "PostgreSQL: %s", text);
		return LOST;
	}
	while (sqlstate != NULL && strncmp(sqlstate, r->sqlstate, strlen(r->sqlstate)) != 0)
		r++;
	db_fail(err, sqlstate != NULL ? r->code : EIO, "PostgreSQL: %s", text);
	return sqlstate != NULL ? r->outcome : REFUSED;
}

/* The end of an exchange: judges what came, and drops a connection that is of no more use. */
static enum outcome conclude(struct db *db, enum outcome outcome, const PGresult *result, struct err *err)
{
	char text[TEXT_SIZE];
	struct err why = {0};

	switch (outcome) {
	case DONE:
		outcome = judge(db->conn, result, &why);
		break;
	case SILENT:
		db_fail(&why, ENOTCONN, "PostgreSQL stopped answering");
		break;
	default:
		one_line(PQerrorMessage(db->conn), text);
		db_fail(&why, ENOTCONN, "PostgreSQL: %s", text[0] ? text : "the connection broke");
		break;
	}
	if (outcome == LOST || outcome == SILENT) {
		note_away(db, &why);
		lose(db);
	} else {
		db->away = false;
	}
	if (outcome != DONE)
		db_fail(err, why.code, "%s", why.msg);
	return outcome;
}

static int64_t statement_deadline(const struct db *db)
{
	return clock_mono_us() + (db->conf->database_statement_timeout_ms + DB_GRACE_MS) * 1000;
}

/* sent: what the PQsend… function returned. */
static enum outcome exchange(struct db *db, int sent, int64_t deadline_us, PGresult **result, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	enum outcome outcome = sent ? collect(db->conn, deadline_us, &r) : LOST;

	outcome = conclude(db, outcome, r, err);
	if (outcome == DONE && result != NULL)
		*result = TAKE_PTR(r);
	return outcome;
}

static enum outcome simple(struct db *db, const char *sql, PGresult **result, struct err *err)
{
	return exchange(db, PQsendQuery(db->conn, sql), statement_deadline(db), result, err);
}

/* Notices are for people at a terminal. */
static void ignore_notice(void *user, const PGresult *notice)
{
	(void)user;
	(void)notice;
}

static int shake_hands(PGconn *conn, int64_t deadline_us)
{
	PostgresPollingStatusType status = PGRES_POLLING_WRITING;

	while (status != PGRES_POLLING_OK) {
		if (status == PGRES_POLLING_FAILED || PQstatus(conn) == CONNECTION_BAD)
			return -1;
		if (wait_socket(conn, status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us) == 0)
			return -1;
		status = PQconnectPoll(conn);
	}
	return 0;
}

/*
 * Set by a statement, not in the start packet, because connection poolers refuse what they do not know there. Statements here
 * do not run for long, while compiling one that goes over many partitions takes seconds. One process of the server's for each
 * is enough: so many connections, so much of its processors at most.
 */
static int set_up_session(const struct db *db, PGconn *conn, int64_t deadline_us)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	char sql[120];

	snprintf(sql, sizeof(sql), "set statement_timeout = %lld; set jit = off; set max_parallel_workers_per_gather = 0",
		 (long long)db->conf->database_statement_timeout_ms);
	if (PQsetnonblocking(conn, 1) < 0 || !PQsendQuery(conn, sql))
		return -1;
	return collect(conn, deadline_us, &r) == DONE && PQresultStatus(r) == PGRES_COMMAND_OK ? 0 : -1;
}

static int try_connect(struct db *db)
{
	const char *const keys[] = {"dbname", "application_name", "client_encoding", NULL};
	const char *const values[] = {db->conf->database_conninfo, db->application, "UTF8", NULL};
	int64_t deadline_us = clock_mono_us() + db->conf->database_connect_timeout_ms * 1000;
	AUTO(conn_close) PGconn *conn = PQconnectStartParams(keys, values, 1);

	if (conn == NULL)
		return -1;
	PQsetNoticeReceiver(conn, ignore_notice, NULL);
	if (shake_hands(conn, deadline_us) < 0 || set_up_session(db, conn, deadline_us) < 0) {
		one_line(PQerrorMessage(conn), db->why);
		if (db->why[0] == '\0')
			snprintf(db->why, sizeof(db->why), "no answer within %lld ms",
				 (long long)db->conf->database_connect_timeout_ms);
		return -1;
	}
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
	struct err why;
	db_fail(&why, ENOTCONN, "PostgreSQL cannot be reached: %s", db->why);
	note_away(db, &why);
	return db_fail(err, why.code, "%s", why.msg);
}

/* Whether the server has closed a connection that was idle. */
static bool was_closed(PGconn *conn)
{
	while (wait_socket(conn, POLLIN, 0) != 0) {
		if (!PQconsumeInput(conn))
			return true;
		PQisBusy(conn); /* lets libpq look at what came, which no statement has asked for */
	}
	return PQstatus(conn) == CONNECTION_BAD;
}

/* After this there is a connection that was alive a moment ago. Nothing of the caller's has been sent on it. */
static int need_connection(struct db *db, struct err *err)
{
	if (db->in_transaction)
		return db->conn != NULL ? 0 : db_fail(err, ENOTCONN, "the connection to PostgreSQL was lost in a transaction");
	if (db->conn != NULL && was_closed(db->conn))
		lose(db);
	return db->conn != NULL ? 0 : connect_with_pause(db, err);
}

static enum outcome prepare(struct db *db, const struct db_statement *s, int64_t deadline_us, struct err *err)
{
	for (size_t i = 0; i < db->prepared_count; i++)
		if (db->prepared[i] == s)
			return DONE;

	enum outcome outcome =
		exchange(db, PQsendPrepare(db->conn, s->name, s->sql, s->param_count, NULL), deadline_us, NULL, err);
	if (outcome != DONE)
		return outcome;
	db->prepared = mem_realloc(db->prepared, (db->prepared_count + 1) * sizeof(*db->prepared));
	db->prepared[db->prepared_count++] = s;
	return DONE;
}

static enum outcome run_once(struct db *db, const struct db_statement *s, const struct db_param *params, PGresult **result,
			     struct err *err)
{
	const char *values[DB_PARAMS_MAX];
	int lens[DB_PARAMS_MAX], formats[DB_PARAMS_MAX];
	int64_t deadline_us = statement_deadline(db);

	assert(s->param_count <= DB_PARAMS_MAX);
	for (int i = 0; i < s->param_count; i++) {
		values[i] = params[i].value;
		lens[i] = params[i].len;
		formats[i] = params[i].binary;
	}
	if (s->varies)
		return exchange(db, PQsendQueryParams(db->conn, s->sql, s->param_count, NULL, values, lens, formats, s->binary),
				deadline_us, result, err);
	enum outcome outcome = prepare(db, s, deadline_us, err);
	if (outcome != DONE)
		return outcome;
	int sent = PQsendQueryPrepared(db->conn, s->name, s->param_count, values, lens, formats, s->binary);
	return exchange(db, sent, deadline_us, result, err);
}

/* Forgets the statements, which the next use prepares anew, by way of a new connection. */
static bool worth_repeating(struct db *db, const struct db_statement *s, enum outcome outcome)
{
	if (outcome == STALE && !db->in_transaction)
		lose(db);
	return !db->in_transaction && (outcome == STALE || (outcome == LOST && s->reads));
}

int db_run(struct db *db, const struct db_statement *statement, const struct db_param *params, PGresult **result,
	   struct err *err)
{
	struct err why;
	enum outcome outcome = LOST;

	for (int attempt = 0; attempt < 2; attempt++) {
		if (need_connection(db, err) < 0)
			return -1;
		outcome = run_once(db, statement, params, result, &why);
		if (outcome == DONE)
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
	/* Twice: a connection that broke under BEGIN had nothing to lose. */
	for (int attempt = 0; attempt < 2; attempt++) {
		if (need_connection(db, err) < 0)
			return -1;
		enum outcome outcome = simple(db, "begin", NULL, &why);
		db->in_transaction = outcome == DONE;
		if (outcome == DONE)
			return 0;
		if (outcome != LOST)
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
	enum outcome outcome = simple(db, "commit", &r, &why);
	if (outcome != DONE) {
		db_rollback(db);
		return db_fail(err, outcome == LOST || outcome == SILENT ? EINPROGRESS : why.code, "%s", why.msg);
	}
	db->in_transaction = false;
	/* The server answers so when a statement before had failed. */
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
	if (simple(db, "rollback", NULL, NULL) != DONE)
		lose(db);
}

int db_command(struct db *db, const char *sql, struct err *err)
{
	assert(db->in_transaction);
	if (need_connection(db, err) < 0)
		return -1;
	return simple(db, sql, NULL, err) == DONE ? 0 : -1;
}

/* Sends all of data in pieces, so that libpq never holds a second copy of it. */
static enum outcome send_copy(PGconn *conn, const char *data, size_t len, int64_t deadline_us)
{
	enum outcome outcome = DONE;

	for (size_t sent = 0; sent < len && outcome == DONE;) {
		size_t n = MIN(len - sent, COPY_CHUNK);
		if (PQputCopyData(conn, data + sent, (int)n) != 1)
			return LOST;
		sent += n;
		outcome = flush(conn, deadline_us);
	}
	if (outcome == DONE && PQputCopyEnd(conn, NULL) != 1)
		outcome = LOST;
	return outcome;
}

int db_copy(struct db *db, const char *sql, const void *data, size_t len, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	int64_t deadline_us = statement_deadline(db);

	assert(db->in_transaction);
	if (need_connection(db, err) < 0)
		return -1;
	if (exchange(db, PQsendQuery(db->conn, sql), deadline_us, NULL, err) != DONE)
		return -1;
	enum outcome outcome = send_copy(db->conn, data, len, deadline_us);
	if (outcome == DONE)
		outcome = collect(db->conn, deadline_us, &r);
	return conclude(db, outcome, r, err) == DONE ? 0 : -1;
}

int db_ping(struct db *db, struct err *err)
{
	static const struct db_statement ping = {.name = "db_ping", .sql = "select 1", .reads = true};

	return db_run(db, &ping, NULL, NULL, err);
}
