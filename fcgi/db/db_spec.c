#include "db/db_spec.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "db/db_error.h"

#define TIME_US(column) "(extract(epoch from functions." column ") * 1000000)::bigint"
#define OF_FUNCTION     "functions.status, " TIME_US("created_at") ", " TIME_US("updated_at")

#define JOIN                                                                                                                   \
	" from functions join function_versions on function_versions.function_id = functions.function_id "                     \
	"and function_versions.version = "
#define FROM_ONE                                                                                                               \
	JOIN "case $2::integer when 0 then functions.version else $2::integer end "                                            \
	     "where functions.function_id = (select function_id_of($1))"
#define FROM_CURRENT                                                                                                           \
	JOIN "functions.version "                                                                                              \
	     "where functions.status <> 'deleted' and ($2::uuid is null or functions.function_id > $2::uuid) "                 \
	     "order by functions.function_id limit $1::integer"

/* For example "functions.name, ". Each list of columns below continues after the last member, hence the comma. */
#define COLUMN(table, member) #table "." #member ", "

const struct db_statement db_spec_get = {
	.name = "spec_get",
	.sql = "select "
#define FUNCTION_GIVEN(field, member, ...)              COLUMN(function_versions, member)
#define FUNCTION_FIELD(field, member, kind, table, ...) COLUMN(table, member)
#include "ipc/function.def"
	OF_FUNCTION FROM_ONE,
	.param_count = 2,
	.reads = true,
};

/* Lists contain empty objects instead of the stored ones, which may be large, and the environment is secret. */
#define SHOWN_STR(table, member)  COLUMN(table, member)
#define SHOWN_INT(table, member)  COLUMN(table, member)
#define SHOWN_JSON(table, member) "'{}', "

const struct db_statement db_spec_list = {
	.name = "spec_list",
	.sql = "select "
#define FUNCTION_GIVEN(field, member, kind, ...)        SHOWN_##kind(function_versions, member)
#define FUNCTION_FIELD(field, member, kind, table, ...) SHOWN_##kind(table, member)
#include "ipc/function.def"
	OF_FUNCTION FROM_CURRENT,
	.param_count = 2,
	.reads = true,
};

/* Only the columns of function_versions. */
#define STORED_functions(column)
#define STORED_function_versions(column) column ", "

/* The version as a row, from the JSON in $1. The name is not part of it, because it is a column of functions. */
#define THE_SPEC "with spec as materialized (select * from json_populate_record(null::function_versions, $1::json)), "

/* Makes or changes, and so locks, the function's row. A function to be changed must be at the previous version. */
#define ROW_MADE                                                                                                               \
	"lock as materialized (select pg_advisory_xact_lock(hashtextextended($1::json ->> 'function_id', 0))), "               \
	"made as (insert into functions (function_id, name, version) "                                                         \
	"select spec.function_id, $1::json ->> 'name', spec.version from spec, lock returning *), "
#define ROW_CHANGED                                                                                                            \
	"made as (update functions set name = $1::json ->> 'name', version = spec.version, updated_at = now() from spec "      \
	"where functions.function_id = spec.function_id and functions.version = spec.version - 1 "                             \
	"and functions.status <> 'deleted' returning functions.*), "

/*
 * Then the package's row is locked until the end of the transaction, whether the package is new ($2 is the archive) or stored
 * ($2 is NULL); delete_function_versions() in migrations/ has the reason. Therefore a conflict updates the row instead of doing
 * nothing.
 */
#define PACKAGE_LOCKED                                                                                                         \
	"put as (insert into packages (sha256, archive, size) "                                                                \
	"select spec.package_sha256, $2::bytea, octet_length($2::bytea) from spec, made where $2::bytea is not null "          \
	"on conflict (sha256) do update set size = excluded.size returning sha256), "                                          \
	"found as materialized (select sha256 from packages where $2::bytea is null "                                          \
	"and sha256 = (select spec.package_sha256 from spec, made) for key share), "

/* Finally the version is stored and read back, as in the other statements. */
#define VERSION_STORED "now() from spec where exists (select from put) or exists (select from found) returning *) select "
#define FROM_STORED    " from made as functions cross join stored as function_versions"

const struct db_statement db_spec_create = {
	.name = "spec_create",
	.sql = THE_SPEC ROW_MADE PACKAGE_LOCKED "stored as (insert into function_versions ("
#define FUNCTION_GIVEN(field, member, ...)              STORED_function_versions(#member)
#define FUNCTION_FIELD(field, member, kind, table, ...) STORED_##table(#member)
#include "ipc/function.def"
						"created_at) select "
#define FUNCTION_GIVEN(field, member, ...)              STORED_function_versions("spec." #member)
#define FUNCTION_FIELD(field, member, kind, table, ...) STORED_##table("spec." #member)
#include "ipc/function.def"
	VERSION_STORED
#define FUNCTION_GIVEN(field, member, ...)              COLUMN(function_versions, member)
#define FUNCTION_FIELD(field, member, kind, table, ...) COLUMN(table, member)
#include "ipc/function.def"
		OF_FUNCTION FROM_STORED,
	.param_count = 2,
};

const struct db_statement db_spec_update = {
	.name = "spec_update",
	.sql = THE_SPEC ROW_CHANGED PACKAGE_LOCKED "stored as (insert into function_versions ("
#define FUNCTION_GIVEN(field, member, ...)              STORED_function_versions(#member)
#define FUNCTION_FIELD(field, member, kind, table, ...) STORED_##table(#member)
#include "ipc/function.def"
						   "created_at) select "
#define FUNCTION_GIVEN(field, member, ...)              STORED_function_versions("spec." #member)
#define FUNCTION_FIELD(field, member, kind, table, ...) STORED_##table("spec." #member)
#include "ipc/function.def"
	VERSION_STORED
#define FUNCTION_GIVEN(field, member, ...)              COLUMN(function_versions, member)
#define FUNCTION_FIELD(field, member, kind, table, ...) COLUMN(table, member)
#include "ipc/function.def"
		OF_FUNCTION FROM_STORED,
	.param_count = 2,
};

/*
 * $1: the function; $2: the wanted name, or NULL; $3: whether the sums of min_warm leave out this function; $4: whether the
 * sums are wanted even if this function has no min_warm. The result is one row.
 */
const struct db_statement db_spec_look = {
	.name = "spec_look",
	.sql = "select s.*, n.function_id, w.sandboxes, w.memory_mb from (values (1)) one left join (select "
#define FUNCTION_GIVEN(field, member, ...)              COLUMN(function_versions, member)
#define FUNCTION_FIELD(field, member, kind, table, ...) COLUMN(table, member)
#include "ipc/function.def"
	OF_FUNCTION JOIN "functions.version where functions.function_id = (select function_id_of($1))) s on true "
	       "left join functions n on n.name = $2 and n.status <> 'deleted' cross join lateral "
	       "(select coalesce(sum(v.min_warm), 0) as sandboxes, "
	       "coalesce(sum(v.min_warm::bigint * v.memory_limit_mb), 0) as memory_mb "
	       "from functions f join function_versions v using (function_id, version) "
	       "where ($4::boolean or s.min_warm > 0) and v.min_warm > 0 "
	       "and (not $3::boolean or f.function_id is distinct from s.function_id)) w",
	.param_count = 4,
	.reads = true,
};

static int get_json(const PGresult *r, int row, int column, json_t **json, struct err *err)
{
	*json = json_loadb(PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column), 0, NULL);
	return *json != NULL ? 0 : db_fail(err, EIO, "column %s of a function is no JSON", PQfname(r, column));
}

int db_spec_from_row(const PGresult *r, int row, struct spec **spec, struct err *err)
{
	AUTO(spec_free) struct spec *s = mem_alloc(sizeof(*s));

	for (int i = 0; i < SPEC_MEMBERS; i++) {
		void *member = (char *)s + spec_members[i].offset;
		switch (spec_members[i].kind) {
		case SPEC_STR:
			*(char **)member = mem_strdup(PQgetvalue(r, row, i));
			break;
		case SPEC_INT:
			*(int64_t *)member = strtoll(PQgetvalue(r, row, i), NULL, 10);
			break;
		case SPEC_JSON:
			if (get_json(r, row, i, member, err) < 0)
				return -1;
			break;
		}
	}
	*spec = TAKE_PTR(s);
	return 0;
}
