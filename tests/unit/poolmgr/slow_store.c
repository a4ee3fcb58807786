#include "tests/unit/poolmgr/slow_store.h"

#include "tests/unit/unit.h"

#include "base/mem.h"

PGconn *slow_store_lock(const char *conninfo)
{
	PGconn *conn = PQconnectdb(conninfo);
	PGresult *r = PQexec(conn, "begin; lock table functions in access exclusive mode");

	assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
	PQclear(r);
	return conn;
}

char *slow_store_hang_new(struct pg_scratch *pg)
{
	char *definition = pg_scratch_value(pg, "select pg_get_functiondef('function_id_of(text)'::regprocedure)");

	pg_scratch_exec(pg, "create or replace function function_id_of(ref text) returns uuid language plpgsql stable as"
			    " $$begin perform pg_sleep(3600); return null; end$$");
	return definition;
}

void slow_store_cure(struct pg_scratch *pg, char **definition)
{
	pg_scratch_exec(pg, "%s", *definition);
	mem_free(definition);
}
