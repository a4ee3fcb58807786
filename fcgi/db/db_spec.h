/*
 * A version of a function in PostgreSQL: the columns are the rows of ipc/function.def. Nothing here waits, so poolmgr reads
 * versions with the same statement and the same code as the control workers.
 */
#ifndef DB_DB_SPEC_H
#define DB_DB_SPEC_H

#include <libpq-fe.h>

#include "base/err.h"
#include "db/db_statement.h"
#include "ipc/spec.h"

/* Further columns of the statements below, after the members of the spec. */
enum { DB_SPEC_STATUS = SPEC_MEMBERS, DB_SPEC_CREATED_AT_US, DB_SPEC_UPDATED_AT_US };

/* Reads a version: parameters are the function's id or name (text) and the version's number (0: the current one). One row, or
 * none. */
extern const struct db_statement db_spec_get;

/*
 * Reads current versions, in the order of their functions' ids: parameters are their maximum number and the id after which they
 * begin (NULL: from the start). Objects are empty in these rows.
 */
extern const struct db_statement db_spec_list;

/*
 * Store a version: db_spec_create the first version of a new function, db_spec_update the next one of a function that is at the
 * previous version. Parameters are the spec (JSON) and the archive of its package (bytes; NULL: the package is stored already).
 * The result is one row with the stored version, or none if the function or the package does not exist; the transaction must
 * then be rolled back. The rows of functions are always locked before those of packages.
 */
extern const struct db_statement db_spec_create, db_spec_update;

/*
 * Reads everything that must be known before a version is stored, in one row. Its parameters:
 *
 *   1   id or name of a function (text; NULL: none): the row has its current version, or NULLs if there is none
 *   2   a name (text; NULL: none): the row has the id of the function with that name
 *   3   whether the sums of what min_warm keeps ready for all functions leave out the function of parameter 1 (boolean)
 *   4   whether these sums are wanted in any case (boolean); otherwise they are 0 if the function of parameter 1 has no
 * min_warm
 */
extern const struct db_statement db_spec_look;
enum { DB_SPEC_NAMESAKE = DB_SPEC_UPDATED_AT_US + 1, DB_SPEC_WARM_SANDBOXES, DB_SPEC_WARM_MEMORY_MB };

/* Reads a row of any of these statements. The caller owns *spec: spec_free. Fails with EIO. */
int db_spec_from_row(const PGresult *result, int row, struct spec **spec, struct err *err);

#endif
