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

/* Reading back what was lost at a commit: a restart of PostgreSQL takes less. */
#define READ_BACK_US       5000000
#define READ_BACK_PAUSE_US 100000

/*
 * The row of a package is locked until the transaction ends, whether it is new or not: see delete_function_versions() in
 * migrations/. That is why a conflict updates the row instead of doing nothing.
 */
static const struct db_statement package_put = {
	.name = "package_put",
	.sql = "insert into packages (sha256, archive, size) values ($1, $2, $3::bigint) "
	       "on conflict (sha256) do update set size = excluded.size",
	.param_count = 3,
};

static const struct db_statement package_lock = {
	.name = "package_lock",
	.sql = "select from packages where sha256 = $1 for key share",
	.param_count = 1,
};

static const struct db_statement package_get = {
	.name = "package_get",
	.sql = "select archive from packages where sha256 = $1",
	.param_count = 1,
	.reads = true,
	.binary = true,
};

static const struct db_statement function_insert = {
	.name = "function_insert",
	.sql = "insert into functions (function_id, name, version) values ($1::uuid, $2, $3::integer)",
	.param_count = 3,
};

/* Locks the function until the transaction ends. The condition is checked again on a row that had to be waited for. */
static const struct db_statement function_lock = {
	.name = "function_lock",
	.sql = "select function_id, version from functions "
	       "where function_id = function_id_of($1) and status <> 'deleted' for update",
	.param_count = 1,
};

static const struct db_statement function_set = {
	.name = "function_set",
	.sql = "update functions set name = $2, version = $3::integer, updated_at = now() where function_id = $1::uuid",
	.param_count = 3,
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
 * Until the transaction ends. Nobody can see, or wait for, the row of a function whose creation is not committed: this is what
 * who reads back waits for.
 */
static const struct db_statement creation_lock = {
	.name = "creation_lock",
	.sql = "select pg_advisory_xact_lock(hashtextextended($1::text, 0))",
	.param_count = 1,
};

/* Once whoever holds the row has ended. */
static const struct db_statement function_state = {
	.name = "function_state",
	.sql = "select status from functions where function_id = $1::uuid for share",
	.param_count = 1,
};

static const struct db_statement functions_warm = {
	.name = "functions_warm",
	.sql = "select coalesce(sum(min_warm), 0), coalesce(sum(min_warm::bigint * memory_limit_mb), 0) "
	       "from functions join function_versions using (function_id, version) "
	       "where min_warm > 0 and ($1::uuid is null or function_id <> $1::uuid)",
	.param_count = 1,
	.reads = true,
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

static int put_package(struct db *db, const char *sha256, const void *archive, size_t len, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;
	const struct db_param params[] = {db_text(sha256), db_bytes(archive, len), db_int((int64_t)len)};

	if (len > INT_MAX)
		return db_fail(err, EINVAL, "a package of %zu bytes is too large", len);
	if (archive != NULL)
		return db_run(db, &package_put, params, NULL, err);
	if (db_run(db, &package_lock, params, &r, err) < 0)
		return -1;
	return PQntuples(r) == 1 ? 0 : db_fail(err, ENOENT, "there is no package %.64s", sha256);
}

static int put_version(struct db *db, const struct spec *spec, struct err *err)
{
	AUTO(json_decrefp) json_t *json = spec_to_json(spec);
	AUTO(mem_free) char *text = json_dumps(json, JSON_COMPACT);

	return db_run(db, &db_spec_insert, (struct db_param[]){db_text(text)}, NULL, err);
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

static int set_name_and_version(struct db *db, const struct db_statement *statement, const struct spec *spec, struct err *err)
{
	const struct db_param params[] = {db_text(spec->function_id), db_text(spec->name), db_int(spec->version)};
	struct err why;

	if (db_run(db, statement, params, NULL, &why) == 0)
		return 0;
	if (why.code == EEXIST)
		return db_fail(err, EEXIST, "there is a function named '%.80s' already", spec->name);
	return db_fail(err, why.code, "%s", why.msg);
}

/* What a transaction was to do. */
enum deed { CREATE, UPDATE, DELETE };

/* Whether the version that is stored is the one that was to be. The name is the function's, and may have changed since. */
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

/* In a transaction: waits for the end of the lost one, and then sees what it has left. */
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
	if (deleted) /* since then, and its versions with it */
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

/* Everything but begin and commit; the rows of functions are locked before those of packages, always. */
static int store(struct db *db, const struct spec *spec, enum deed deed, const void *archive, size_t archive_len,
		 struct db_function **out, struct err *err)
{
	struct uuid id;

	int rc = deed == CREATE ? db_run(db, &creation_lock, (struct db_param[]){db_text(spec->function_id)}, NULL, err)
				: lock_function(db, spec->function_id, spec->version - 1, &id, err);
	if (rc < 0)
		return -1;
	if (set_name_and_version(db, deed == CREATE ? &function_insert : &function_set, spec, err) < 0)
		return -1;
	if (put_package(db, spec->package_sha256, archive, archive_len, err) < 0 || put_version(db, spec, err) < 0)
		return -1;
	return db_function_get(db, spec->function_id, out, err);
}

static int store_in_transaction(struct db *db, const struct spec *spec, enum deed deed, const void *archive, size_t archive_len,
				struct db_function **out, struct err *err)
{
	AUTO(db_function_free) struct db_function *stored = NULL;

	if (db_begin(db, err) < 0)
		return -1;
	if (store(db, spec, deed, archive, archive_len, &stored, err) < 0) {
		db_rollback(db);
		return -1;
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

/* *row: one row, the caller's to clear. */
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

int db_functions_warm(struct db *db, const char *but_for_id, int64_t *sandboxes, int64_t *memory_mb, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;

	if (db_run(db, &functions_warm, (struct db_param[]){db_text(but_for_id)}, &r, err) < 0)
		return -1;
	*sandboxes = atoll(PQgetvalue(r, 0, 0));
	*memory_mb = atoll(PQgetvalue(r, 0, 1));
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

int db_package_get(struct db *db, const char *sha256, void **archive, size_t *archive_len, struct err *err)
{
	AUTO(db_result_clear) PGresult *r = NULL;

	if (db_run(db, &package_get, (struct db_param[]){db_text(sha256)}, &r, err) < 0)
		return -1;
	if (PQntuples(r) == 0)
		return db_fail(err, ENOENT, "there is no package %.64s", sha256);
	size_t len = (size_t)PQgetlength(r, 0, 0);
	*archive = mem_alloc(len);
	memcpy(*archive, PQgetvalue(r, 0, 0), len);
	*archive_len = len;
	return 0;
}
