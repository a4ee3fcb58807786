#include "tests/unit/db/db_rig.h"

#include "base/mem.h"
#include "tests/unit/unit.h"

const struct db_statement insert = {.name = "insert", .sql = "insert into t values ($1::integer, $2)", .param_count = 2};
const struct db_statement count_rows = {.name = "count", .sql = "select count(*) from t", .reads = true};
const struct db_statement backend_pid = {.name = "pid", .sql = "select pg_backend_pid()", .reads = true};

static int connect_to_it(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	f->conf = pg_scratch_conf(pg);
	f->db = db_new(f->conf, "test");
	*state = f;
	return 0;
}

int rig_set_up(void **state)
{
	pg_scratch_exec(pg, "set client_min_messages = warning; drop table if exists t; drop sequence if exists tries; "
			    "create sequence tries; create table t (id integer primary key check (id < 1000), data bytea)");
	return connect_to_it(state);
}

int rig_set_up_migrated(void **state)
{
	pg_scratch_reset(pg);
	return connect_to_it(state);
}

int rig_tear_down(void **state)
{
	struct fixture *f = *state;

	db_free(&f->db);
	pg_proxy_end(&f->proxy);
	conf_free(&f->conf);
	mem_free(&f);
	return 0;
}

int insert_row(struct fixture *f, const char *id)
{
	return db_run(f->db, &insert, (struct db_param[]){db_text(id), db_text(NULL)}, NULL, &f->err);
}

long number(struct fixture *f, const struct db_statement *statement)
{
	AUTO(db_result_clear) PGresult *r = NULL;

	assert_int_equal(db_run(f->db, statement, NULL, &r, &f->err), 0);
	return atol(PQgetvalue(r, 0, 0));
}
