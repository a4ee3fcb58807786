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

/* In the rows of the statements below, behind the members of the spec. */
enum { DB_SPEC_STATUS = SPEC_MEMBERS, DB_SPEC_CREATED_AT_US, DB_SPEC_UPDATED_AT_US };

/* One row, or none: of the function with that id or name (text) that version (a number; 0: the current one). */
extern const struct db_statement db_spec_get;

/*
 * At most so many (a number) current versions, in the order of their functions' ids, which are greater than the one given (an
 * id; NULL: from the start). Objects are empty in these rows.
 */
extern const struct db_statement db_spec_list;

/*
 * Store the spec (JSON), and the archive of its package (bytes; NULL: it is stored), as the first version of a new function, or
 * as the next one of a function that is at the version before. One row, with what is stored; none when there is no such
 * function, or no such package: then all is to be rolled back. The rows of functions are locked before those of packages,
 * always.
 */
extern const struct db_statement db_spec_create, db_spec_update;

/*
 * What is to be known before that, in one row: the current version of the function with an id or name (text; NULL: none), all
 * NULL when there is none; the id of the function that has a name (text; NULL: none); what min_warm keeps ready of all
 * functions, but for the one named first when the third parameter (a boolean) says so. The last is 0 unless the fourth one
 * does, or min_warm of the function.
 */
extern const struct db_statement db_spec_look;
enum { DB_SPEC_NAMESAKE = DB_SPEC_UPDATED_AT_US + 1, DB_SPEC_WARM_SANDBOXES, DB_SPEC_WARM_MEMORY_MB };

/* Takes a row of any of them. The caller owns *spec: spec_free. Fails with EIO. */
int db_spec_from_row(const PGresult *result, int row, struct spec **spec, struct err *err);

#endif
