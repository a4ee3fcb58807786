/*
 * Functions, their versions and packages in PostgreSQL. Errors as in db/db.h, and ENOENT when there is no such function (or
 * package), ESTALE when the version is not the one expected. Names and ids are those of functions that are not deleted.
 *
 * When the connection is lost at a commit, the functions that write wait until the lost transaction has ended and read back
 * what it has stored, so success and ENOTCONN are certain. EINPROGRESS: PostgreSQL could not be asked in time, so it is unknown
 * whether the change was or will be stored.
 */
#ifndef DB_DB_FUNCTIONS_H
#define DB_DB_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "db/db.h"
#include "ipc/spec.h"

/* A function as stored: its current version's spec and what PostgreSQL adds. */
struct db_function {
	struct spec *spec;
	char *status; /* "active" */
	int64_t created_at_us, updated_at_us;
	struct db_function *next;
};
void db_function_free(struct db_function **list); /* frees the whole list; destructor for AUTO */

/*
 * Stores spec (version 1) and its package in one transaction. archive NULL: the package must be stored already, otherwise
 * ENOENT. EEXIST: the name is taken. EINVAL: the database refuses the data, e.g. an archive that does not have spec's sha256.
 * *out: as stored.
 */
int db_function_create(struct db *db, const struct spec *spec, const void *archive, size_t archive_len,
		       struct db_function **out, struct err *err);

/*
 * Stores spec as the new current version; spec->version must be the current one plus 1, else ESTALE. Otherwise as
 * db_function_create; a new name renames the function.
 */
int db_function_update(struct db *db, const struct spec *spec, const void *archive, size_t archive_len,
		       struct db_function **out, struct err *err);

/* By id or by name. */
int db_function_get(struct db *db, const char *ref, struct db_function **out, struct err *err);

/* One version of a function; 0 is the current one. */
int db_function_spec(struct db *db, const char *ref, int64_t version, struct spec **spec, struct err *err);

/*
 * At most limit functions whose id is greater than after (NULL: from the start), in order of id, with empty environments, which
 * may be large and secret. An empty page is *out NULL.
 */
int db_function_list(struct db *db, int limit, const struct uuid *after, struct db_function **out, struct err *err);

/* Reads everything that must be known before a function is stored, in one query. */
struct db_look_for {
	const char *ref;  /* the function to update or to copy; NULL: none */
	const char *name; /* the wanted name, which another function may have; NULL: not asked */
	bool but_for_it;  /* what ref itself keeps ready is not counted */
	bool warm;        /* always count what is kept ready; false: only if ref has min_warm */
};
struct db_look {
	struct db_function *function;           /* owned by the caller; NULL: there is none */
	char namesake[UUID_TEXT_SIZE];          /* id of the function that has the wanted name; "": none */
	int64_t warm_sandboxes, warm_memory_mb; /* what min_warm keeps ready for all functions together; 0 if not counted */
};
int db_function_look(struct db *db, const struct db_look_for *what, struct db_look *look, struct err *err);

/*
 * Deletes a function. version: the current one, otherwise ESTALE; -1: any. Its name becomes free; its versions are deleted, and
 * packages that no other function uses.
 */
int db_function_delete(struct db *db, const char *ref, int64_t version, struct uuid *function_id, struct err *err);

#endif
