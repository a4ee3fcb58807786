#include "db/db_functions.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/clock.h"
#include "base/mem.h"
#include "db/db_spec.h"

/* How long to try to read back after a lost commit; a restart of PostgreSQL takes less. */
#define READ_BACK_US       5000000
#define READ_BACK_PAUSE_US 100000

/* Locks the function until the transaction ends. The condition is checked again on a row that had to be waited for. */
static const struct db_statement function_lock = {
	.name = "function_lock",
	.sql = "select function_id, version from functions "
	       "where function_id = function_id_of($1) and status <> 'deleted' for update",
	.param_count = 1,
};

static const struct db_statement function_delete = {
	.name = "function_delete",
	.sql = "update functions set status = 'deleted', version = null, updated_at = now() where function_id = $1::uuid",
	.param_count = 1,
};

static const struct db_statement versions_delete = {
	.name = "versions_delete",
	.sql = "select delete_function_versions($1::uuid)",
	.param_count = 1,
};

/*
 * Held until the transaction ends. The row of a function whose creation is not committed is invisible and cannot be waited for,
 * so reading back waits for this lock.
 */
static const struct db_statement creation_lock = {
	.name = "creation_lock",
	.sql = "select pg_advisory_xact_lock(hashtextextended($1::text, 0))",
	.param_count = 1,
};

/* Returns when the transaction that holds the row has ended. */
static const struct db_statement function_state = {
	.name = "function_state",
	.sql = "select status from functions where function_id = $1::uuid for share",
	.param_count = 1,
};

static void free_one(struct db_function **function)
{
	struct db_function *f = *function;

	if (f == NULL)
		return;
	spec_free(&f->spec);
	free(f->status);
	mem_free(function);
}

void db_function_free(struct db_function **list)
{
	struct db_function *f, *next;

	LL_FOREACH_SAFE (*list, f, next)
		free_one(&f);
	*list = NULL;
}

static int no_function(const char *ref, struct err *err)
{
	return db_fail(err, ENOENT, "there is no function '%.80s'", ref);
}

static int64_t get_int(const PGresult *r, int row, int column)
{
	return strtoll(PQgetvalue(r, row, column), NULL, 10);
}

static int function_new(const PGresult *r, int row, struct db_function **out, struct err *err)
{
	AUTO(db_function_free) struct db_function *f = mem_alloc(sizeof(*f));

	if (db_spec_from_row(r, row, &f->spec, err) < 0)
		return -1;
	f->status = mem_strdup(PQgetvalue(r, row, DB_SPEC_STATUS));
	f->created_at_us = get_int(r, row, DB_SPEC_CREATED_AT_US);
	f->updated_at_us = get_int(r, row, DB_SPEC_UPDATED_AT_US);
	*out = TAKE_PTR(f);
	return 0;
}

/* Locks the function. version: what its current version must be, or -1. */
static int lock_function(struct db *db, const char *ref, int64_t version, struct uuid *id, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;

	if (db_run(db, &function_lock, (struct db_param[]){db_text(ref)}, &r, err) < 0)
		return -1;
	if (PQntuples(r) == 0)
		return no_function(ref, err);
	const char *current = PQgetvalue(r, 0, 1);
	if (version >= 0 && version != atoll(current))
		return db_fail(err, ESTALE, "version %" PRId64 " of '%.80s' is not the current one, which is %s", version, ref,
			       current);
	return uuid_parse(PQgetvalue(r, 0, 0), id) ? 0 : db_fail(err, EIO, "PostgreSQL sent a function without id");
}

/* The kinds of transactions. */
enum deed { CREATE, UPDATE, DELETE };

/* Whether the stored version is the intended one. The name belongs to the function and may have changed since. */
static int is_stored(struct db *db, const struct spec *spec, bool *stored, struct err *err)
{
	AUTO(spec_free) struct spec *found = NULL;

	*stored = false;
	if (db_function_spec(db, spec->function_id, spec->version, &found, err) < 0)
		return err->code == ENOENT ? 0 : -1;
	AUTO(json_decrefp) json_t *wanted_json = spec_to_json(spec);
	AUTO(json_decrefp) json_t *found_json = spec_to_json(found);
	json_object_del(wanted_json, "name");
	json_object_del(found_json, "name");
	*stored = json_equal(wanted_json, found_json) != 0;
	return 0;
}

/* In a transaction: waits for the end of the lost one, and then reads what it has stored. */
static int look_back(struct db *db, enum deed deed, const char *id, const struct spec *spec, bool *done, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;

	if (db_run(db, &creation_lock, (struct db_param[]){db_text(id)}, NULL, err) < 0 ||
	    db_run(db, &function_state, (struct db_param[]){db_text(id)}, &r, err) < 0)
		return -1;
	bool known = PQntuples(r) == 1, deleted = known && strcmp(PQgetvalue(r, 0, 0), "deleted") == 0;
	if (deed == CREATE || deed == DELETE) {
		*done = deed == CREATE ? known : deleted;
		return 0;
	}
	if (deleted) /* deleted since then, with its versions */
		return db_fail(err, ESTALE, "the function was deleted meanwhile");
	return is_stored(db, spec, done, err);
}

/* After a commit whose answer was lost: 0 when it was done, ENOTCONN when it was not and never will be. */
static int read_back(struct db *db, enum deed deed, const char *id, const struct spec *spec, const struct err *lost,
		     struct err *err)
{
	int64_t deadline_us = clock_mono_us() + READ_BACK_US;
	bool done = false;
	struct err why;
	int rc;

	do {
		usleep(READ_BACK_PAUSE_US);
		rc = db_begin(db, &why);
		if (rc == 0)
			rc = look_back(db, deed, id, spec, &done, &why);
		db_rollback(db);
	} while (rc < 0 && why.code != ESTALE && clock_mono_us() < deadline_us);
	if (rc < 0)
		return db_fail(err, EINPROGRESS, "%s; it is not known whether it was committed: %s", lost->msg, why.msg);
	return done ? 0 : db_fail(err, ENOTCONN, "%s", lost->msg);
}

static int commit(struct db *db, enum deed deed, const char *id, const struct spec *spec, struct err *err)
{
	struct err lost;

	if (db_commit(db, &lost) == 0)
		return 0;
	if (lost.code != EINPROGRESS)
		return db_fail(err, lost.code, "%s", lost.msg);
	return read_back(db, deed, id, spec, &lost, err);
}

/* Finds out why the statement stored nothing although it did not fail. */
static int tell_why(struct db *db, const struct spec *spec, enum deed deed, struct err *err)
{
	AUTO(db_function_free) struct db_function *current = NULL;

	if (deed == UPDATE && db_function_get(db, spec->function_id, &current, err) < 0)
		return -1;
	if (deed == UPDATE && current->spec->version != spec->version - 1)
		return db_fail(err, ESTALE, "version %" PRId64 " of '%.80s' is not the current one, which is %" PRId64,
			       spec->version - 1, spec->function_id, current->spec->version);
	return db_fail(err, ENOENT, "there is no package %.64s", spec->package_sha256);
}

/* Stores the version, between BEGIN and COMMIT. *found is false if the function or the package does not exist. */
static int store(struct db *db, const struct spec *spec, enum deed deed, const void *archive, size_t archive_len, bool *found,
		 struct db_function **out, struct err *err)
{
	AUTO(json_decrefp) json_t *json = spec_to_json(spec);
	AUTO(mem_free) char *text = json_dumps(json, JSON_COMPACT);
	const struct db_param params[] = {db_text(text), archive != NULL ? db_bytes(archive, archive_len) : db_text(NULL)};
	AUTO(db_result_clear) PGresult *r = NULL;
	struct err why;

	if (archive_len > INT_MAX)
		return db_fail(err, EINVAL, "a package of %zu bytes is too large", archive_len);
	if (db_run(db, deed == CREATE ? &db_spec_create : &db_spec_update, params, &r, &why) < 0)
		return why.code == EEXIST ? db_fail(err, EEXIST, "there is a function named '%.80s' already", spec->name)
					  : db_fail(err, why.code, "%s", why.msg);
	*found = PQntuples(r) == 1;
	return *found ? function_new(r, 0, out, err) : 0;
}

static int store_in_transaction(struct db *db, const struct spec *spec, enum deed deed, const void *archive, size_t archive_len,
				struct db_function **out, struct err *err)
{
	AUTO(db_function_free) struct db_function *stored = NULL;
	bool found = false;

	if (db_begin(db, err) < 0)
		return -1;
	int rc = store(db, spec, deed, archive, archive_len, &found, &stored, err);
	if (rc < 0 || !found) {
		db_rollback(db);
		return rc < 0 ? -1 : tell_why(db, spec, deed, err);
	}
	if (commit(db, deed, spec->function_id, spec, err) < 0)
		return -1;
	*out = TAKE_PTR(stored);
	return 0;
}

int db_function_create(struct db *db, const struct spec *spec, const void *archive, size_t archive_len,
		       struct db_function **out, struct err *err)
{
	return store_in_transaction(db, spec, CREATE, archive, archive_len, out, err);
}

int db_function_update(struct db *db, const struct spec *spec, const void *archive, size_t archive_len,
		       struct db_function **out, struct err *err)
{
	return store_in_transaction(db, spec, UPDATE, archive, archive_len, out, err);
}

/* *row is one row, which the caller clears. */
static int get_version(struct db *db, const char *ref, int64_t version, PGresult **row, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	bool possible = version >= 0 && version <= INT_MAX;

	if (possible && db_run(db, &db_spec_get, (struct db_param[]){db_text(ref), db_int(version)}, &r, err) < 0)
		return -1;
	if (possible && PQntuples(r) == 1) {
		*row = TAKE_PTR(r);
		return 0;
	}
	return version == 0 ? no_function(ref, err)
			    : db_fail(err, ENOENT, "there is no version %" PRId64 " of '%.80s'", version, ref);
}

int db_function_get(struct db *db, const char *ref, struct db_function **out, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;

	return get_version(db, ref, 0, &r, err) < 0 ? -1 : function_new(r, 0, out, err);
}

int db_function_spec(struct db *db, const char *ref, int64_t version, struct spec **spec, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;

	return get_version(db, ref, version, &r, err) < 0 ? -1 : db_spec_from_row(r, 0, spec, err);
}

int db_function_list(struct db *db, int limit, const struct uuid *after, struct db_function **out, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	AUTO(db_function_free) struct db_function *list = NULL;
	struct db_function **end = &list;
	const struct db_param params[] = {db_int(limit), db_uuid(after)};

	if (db_run(db, &db_spec_list, params, &r, err) < 0)
		return -1;
	for (int row = 0; row < PQntuples(r); row++) {
		if (function_new(r, row, end, err) < 0)
			return -1;
		end = &(*end)->next;
	}
	*out = TAKE_PTR(list);
	return 0;
}

int db_function_look(struct db *db, const struct db_look_for *what, struct db_look *look, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	const struct db_param params[] = {db_text(what->ref), db_text(what->name), db_bool(what->but_for_it),
					  db_bool(what->warm)};
	struct db_function *f = NULL;

	if (db_run(db, &db_spec_look, params, &r, err) < 0)
		return -1;
	if (!PQgetisnull(r, 0, DB_SPEC_STATUS) && function_new(r, 0, &f, err) < 0)
		return -1;
	*look = (struct db_look){
		.function = f,
		.warm_sandboxes = get_int(r, 0, DB_SPEC_WARM_SANDBOXES),
		.warm_memory_mb = get_int(r, 0, DB_SPEC_WARM_MEMORY_MB),
	};
	snprintf(look->namesake, sizeof(look->namesake), "%s", PQgetvalue(r, 0, DB_SPEC_NAMESAKE));
	return 0;
}

static int delete_locked(struct db *db, const struct uuid *id, struct err *err)
{
	const struct db_param params[] = {db_uuid(id)};

	if (db_run(db, &function_delete, params, NULL, err) < 0)
		return -1;
	return db_run(db, &versions_delete, params, NULL, err);
}

int db_function_delete(struct db *db, const char *ref, int64_t version, struct uuid *function_id, struct err *err)
{
	char text[UUID_TEXT_SIZE];
	struct uuid id;

	if (db_begin(db, err) < 0)
		return -1;
	if (lock_function(db, ref, version, &id, err) < 0 || delete_locked(db, &id, err) < 0) {
		db_rollback(db);
		return -1;
	}
	uuid_format(&id, text);
	if (commit(db, DELETE, text, NULL, err) < 0)
		return -1;
	*function_id = id;
	return 0;
}
