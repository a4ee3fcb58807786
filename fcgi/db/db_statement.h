/*
 * Statements and their parameters, and how both are sent. Parameters are always passed apart from the SQL, as values: what is
 * small is kept in them, texts and bytes that somebody else owns are borrowed. A parameter of zeros is SQL NULL.
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
	bool reads;      /* changes nothing: may be run again when the connection is lost under it */
	bool binary;     /* results are in binary form, not text */
	bool varies;     /* the parameters decide how it is best carried out: planned anew each time, not prepared */
};

#define DB_OWN_SIZE 40 /* the longest there is: an id */

struct db_param {
	const char *borrowed; /* or NULL */
	int len;              /* of borrowed, where that is bytes in binary form */
	bool binary;
	char own[DB_OWN_SIZE]; /* text; "" while there is none */
};

struct db_param db_text(const char *text); /* borrowed; NULL: SQL NULL */
struct db_param db_bytes(const void *data,
			 size_t len); /* borrowed, INT_MAX bytes at most; for a bytea, or any type's binary form */
struct db_param db_int(int64_t n);    /* for any type of whole numbers */
struct db_param db_real(double n);    /* for double precision, exactly */
struct db_param db_bool(bool b);
struct db_param db_time(int64_t wall_us);       /* for a timestamptz */
struct db_param db_uuid(const struct uuid *id); /* NULL: SQL NULL */

/* As it is sent; NULL: SQL NULL. Valid as long as the parameter, and what it borrows. */
const char *db_param_value(const struct db_param *param);

/*
 * What PQsendPrepare and its like return: 0 when the connection is broken. A statement that varies is sent unprepared, which
 * takes no db_statement_prepare.
 */
int db_statement_prepare(PGconn *conn, const struct db_statement *statement);
int db_statement_send(PGconn *conn, const struct db_statement *statement, const struct db_param *params);

#endif
