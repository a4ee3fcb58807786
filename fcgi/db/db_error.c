#include "db/db_error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE 320

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

/* The meaning of the server's error codes (SQLSTATE); the first prefix that fits counts. */
static const struct refusal {
	const char *sqlstate;
	enum db_outcome outcome;
	int code;
} refusals[] = {
	{"23505", DB_REFUSED, EEXIST},    /* unique_violation */
	{"57014", DB_REFUSED, ETIMEDOUT}, /* query_canceled: statement_timeout */
	{"55P03", DB_REFUSED, ETIMEDOUT}, /* lock_not_available */
	{"0A000", DB_STALE, EIO},         /* "cached plan must not change result type" */
	{"26000", DB_STALE, EIO},         /* prepared statement does not exist */
	{"57P", DB_LOST, ENOTCONN},       /* shutting down, starting up */
	{"08", DB_LOST, ENOTCONN},        /* connection exceptions */
	{"22", DB_REFUSED, EINVAL},       /* data exceptions */
	{"23", DB_REFUSED, EINVAL},       /* integrity constraints */
	{"54", DB_REFUSED, EINVAL},       /* program limit exceeded: too large a row */
	{"40", DB_REFUSED, EAGAIN},       /* deadlock, serialization failure */
	{"53", DB_REFUSED, EAGAIN},       /* insufficient resources */
	{"", DB_REFUSED, EIO},
};
static const struct refusal goodbye = {"", DB_LOST, ENOTCONN}, unknown = {"", DB_REFUSED, EIO};

/* The server's last error arrives before the connection is seen to end. */
static bool is_last(const PGresult *result)
{
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static const struct refusal *find_refusal(const PGconn *conn, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const struct refusal *r = refusals;

	if (sqlstate == NULL) /* libpq's own message */
		return PQstatus(conn) == CONNECTION_BAD ? &goodbye : &unknown;
	if (is_last(result))
		return &goodbye;
	while (strncmp(sqlstate, r->sqlstate, strlen(r->sqlstate)) != 0)
		r++;
	return r;
}

enum db_outcome db_error_judge(const PGconn *conn, const PGresult *result, struct err *err)
{
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char text[TEXT_SIZE];

	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
	case PGRES_COPY_IN:
		return DB_DONE;
	default:
		break;
	}
	const struct refusal *r = find_refusal(conn, result);
	one_line(primary != NULL ? primary : PQresultErrorMessage(result), text);
	db_fail(err, r->code, "PostgreSQL: %s", text);
	return r->outcome;
}

int db_error_lost(const PGconn *conn, struct err *err)
{
	char text[TEXT_SIZE];

	one_line(PQerrorMessage(conn), text);
	return db_fail(err, ENOTCONN, "PostgreSQL: %s", text[0] != '\0' ? text : "the connection broke");
}

int db_error_silent(struct err *err)
{
	return db_fail(err, ENOTCONN, "PostgreSQL stopped answering");
}

int db_error_unreachable(const PGconn *conn, int64_t timeout_ms, struct err *err)
{
	char text[TEXT_SIZE];

	one_line(PQerrorMessage(conn), text);
	if (text[0] == '\0')
		snprintf(text, sizeof(text), "no answer within %lld ms", (long long)timeout_ms);
	return db_fail(err, ENOTCONN, "PostgreSQL cannot be reached: %s", text);
}
