/*
 * A version of a function as PostgreSQL has it: the columns are the rows of ipc/function.def. Nothing here waits, so that
 * poolmgr reads versions with the same statement, and from the same rows, as everybody else.
 */
#ifndef DB_DB_SPEC_H
#define DB_DB_SPEC_H

#include <libpq-fe.h>

#include "base/err.h"
#include "db/db_statement.h"
#include "ipc/spec.h"

/* In the rows of both statements below, behind the members of the spec. */
enum { DB_SPEC_STATUS = SPEC_MEMBERS, DB_SPEC_CREATED_AT_US, DB_SPEC_UPDATED_AT_US };

/* One row, or none: of the function with that id or name (text) that version (a number; 0: the current one). */
extern const struct db_statement db_spec_get;

/*
 * At most so many (a number) current versions, in the order of their functions' ids, which are greater than the one given (an
 * id; NULL: from the start). Objects are empty in these rows.
 */
extern const struct db_statement db_spec_list;

/* One parameter, the spec as JSON: a row of function_versions. The function's own row is not touched. */
extern const struct db_statement db_spec_insert;

/* Takes a row of the first two. The caller owns *spec: spec_free. Fails with EIO. */
int db_spec_from_row(const PGresult *result, int row, struct spec **spec, struct err *err);

#endif
