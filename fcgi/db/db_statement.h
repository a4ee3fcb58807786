/*
 * Statements and their parameters, and how both are sent. Parameters are always passed separately from the SQL. Small values
 * are stored in the parameter; texts and bytes are borrowed. A parameter of all zeros is SQL NULL.
 */
#ifndef DB_DB_STATEMENT_H
#define DB_DB_STATEMENT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

#define DB_PARAMS_MAX 40

/* One statement; each is one static object, known to the connection by its name. */
struct db_statement {
	const char *name; /* unique in the process */
	const char *sql;
	int param_count; /* at most DB_PARAMS_MAX */
	bool reads;      /* it changes nothing, so it may be run again when the connection is lost during it */
	bool binary;     /* results are in binary form instead of text */
	bool varies;     /* its best plan depends on the parameters, so it is planned each time and not prepared */
};

#define DB_OWN_SIZE 40 /* size of the longest, an id */

struct db_param {
	const char *borrowed; /* or NULL */
	int len;              /* length of borrowed when that is bytes in binary form */
	bool binary;
	char own[DB_OWN_SIZE]; /* as text; "" when it is borrowed */
};

struct db_param db_text(const char *text); /* borrowed; NULL: SQL NULL */
struct db_param db_bytes(const void *data,
			 size_t len); /* borrowed, at most INT_MAX bytes; for a bytea, or the binary form of any type */
struct db_param db_int(int64_t n);    /* for any integer type */
struct db_param db_real(double n);    /* for double precision; exact */
struct db_param db_bool(bool b);
struct db_param db_time(int64_t wall_us);       /* for a timestamptz */
struct db_param db_uuid(const struct uuid *id); /* NULL: SQL NULL */

/* The value as it is sent; NULL: SQL NULL. Valid as long as the parameter and the memory that it borrows. */
const char *db_param_value(const struct db_param *param);

/*
 * Return the result of PQsendPrepare or its like: 0 when the connection is broken. A statement that varies is sent unprepared
 * and needs no db_statement_prepare.
 */
int db_statement_prepare(PGconn *conn, const struct db_statement *statement);
int db_statement_send(PGconn *conn, const struct db_statement *statement, const struct db_param *params);

#endif
