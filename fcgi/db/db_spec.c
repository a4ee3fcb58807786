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

/* "functions.name, ": each of the lists below goes on behind the last member. */
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

/* Objects may be large, and the environment is secret. */
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

/* Which of them are stored with the version. */
#define STORED_functions(column)
#define STORED_function_versions(column) column ", "

const struct db_statement db_spec_insert = {
	.name = "spec_insert",
	.sql = "insert into function_versions ("
#define FUNCTION_GIVEN(field, member, ...)              STORED_function_versions(#member)
#define FUNCTION_FIELD(field, member, kind, table, ...) STORED_##table(#member)
#include "ipc/function.def"
	       "created_at) select "
#define FUNCTION_GIVEN(field, member, ...)              STORED_function_versions("spec." #member)
#define FUNCTION_FIELD(field, member, kind, table, ...) STORED_##table("spec." #member)
#include "ipc/function.def"
	       "now() from json_populate_record(null::function_versions, $1::json) spec",
	.param_count = 1,
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
