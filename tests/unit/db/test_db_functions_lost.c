/* Changes whose commit was not answered. */
#include "db/db_functions.h"

#include <errno.h>
#include <pthread.h>

#include "base/mem.h"
#include "tests/unit/db/function_rig.h"

/* From now on f->db loses its connection at the next commit. */
static void lose_commit(struct fixture *f, enum pg_proxy_cut cut)
{
	db_free(&f->db);
	pg_proxy_end(&f->proxy);
	conf_free(&f->conf);
	f->conf = pg_scratch_conf(pg);
	pg_proxy_start(&f->proxy, f->conf, cut);
	f->db = db_new(f->conf, "test");
}

static const struct {
	enum pg_proxy_cut cut;
	int code; /* the error; 0: the change was made */
	bool done;
} lost_commits[] = {
	{PG_PROXY_BEFORE, ENOTCONN, false},
	{PG_PROXY_AFTER, 0, true},
	{PG_PROXY_LATE, 0, true}, /* the worker waits for its end */
	{PG_PROXY_GONE, EINPROGRESS, true},
};

static int code_of(const struct fixture *f, int rc)
{
	return rc == 0 ? 0 : f->err.code;
}

static void a_creation_whose_commit_was_lost_is_told_as_what_became_of_it(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lost_commits); i++) {
		AUTO(mem_free) char *name = mem_printf("f%zu", i);
		AUTO(spec_free) struct spec *spec = make_spec(name, "code");
		AUTO(db_function_free) struct db_function *stored = NULL;
		lose_commit(f, lost_commits[i].cut);
		assert_int_equal(code_of(f, db_function_create(f->db, spec, "code", 4, &stored, &f->err)),
				 lost_commits[i].code);
		assert_int_equal(stored != NULL, lost_commits[i].code == 0);
		assert_int_equal(pg_scratch_number(pg, "select count(*) from functions where name = '%s'", name),
				 lost_commits[i].done);
	}
}

static void an_update_whose_commit_was_lost_is_told_as_what_became_of_it(void **state)
{
	struct fixture *f = *state;

	create_function(f, "hello", "code");
	for (size_t i = 0; i < ARRAY_SIZE(lost_commits); i++) {
		AUTO(db_function_free) struct db_function *stored = NULL;
		lose_commit(f, lost_commits[i].cut);
		AUTO(spec_free) struct spec *spec = current_spec(f, "hello");
		int64_t before = spec->version++;
		spec->timeout_ms = 1000 + (int64_t)i;
		assert_int_equal(code_of(f, db_function_update(f->db, spec, NULL, 0, &stored, &f->err)), lost_commits[i].code);
		assert_int_equal(stored != NULL, lost_commits[i].code == 0);
		assert_int_equal(pg_scratch_number(pg, "select version from functions where name = 'hello'"),
				 before + lost_commits[i].done);
	}
}

static void a_deletion_whose_commit_was_lost_is_told_as_what_became_of_it(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(lost_commits); i++) {
		AUTO(mem_free) char *name = mem_printf("f%zu", i);
		struct uuid id;
		lose_commit(f, PG_PROXY_BEFORE);
		AUTO(spec_free) struct spec *spec = make_spec(name, "code");
		AUTO(db_function_free) struct db_function *stored = NULL;
		assert_int_equal(db_function_create(f->db, spec, "code", 4, &stored, &f->err),
				 -1); /* this commit loses its connection */
		assert_int_equal(db_function_create(f->db, spec, "code", 4, &stored, &f->err), 0);
		lose_commit(f, lost_commits[i].cut);
		assert_int_equal(code_of(f, db_function_delete(f->db, name, -1, &id, &f->err)), lost_commits[i].code);
		assert_int_equal(
			pg_scratch_number(pg, "select count(*) from functions where name = '%s' and status = 'deleted'", name),
			lost_commits[i].done);
	}
}

struct update {
	struct db *db;
	struct spec *spec;
	int rc;
};

/* Makes another update while the first client waits to read back, and then lets that continue. */
static void *update_before_it_is_read(void *arg)
{
	AUTO(db_function_free) struct db_function *stored = NULL;
	struct update *u = arg;
	struct err err;

	for (int i = 0; i < 2000; i++) {
		if (pg_scratch_number(pg, "select count(*) from pg_locks where locktype = 'advisory' and not granted") > 0)
			break;
		usleep(5000);
	}
	u->rc = db_function_update(u->db, u->spec, NULL, 0, &stored, &err);
	pg_scratch_exec(pg, "commit");
	return NULL;
}

static void a_version_that_somebody_else_has_stored_since_is_not_taken_for_the_lost_one(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;
	AUTO(conf_free) struct conf *conf = pg_scratch_conf(pg);
	AUTO(db_free) struct db *other = db_new(conf, "other");
	pthread_t thread;

	create_function(f, "hello", "code");
	AUTO(spec_free) struct spec *mine = current_spec(f, "hello");
	AUTO(spec_free) struct spec *theirs = current_spec(f, "hello");
	mine->version = theirs->version = 2;
	mine->timeout_ms = 1111;
	theirs->timeout_ms = 2222;
	lose_commit(f, PG_PROXY_BEFORE);
	pg_scratch_exec(pg, "begin");
	pg_scratch_exec(pg, "select pg_advisory_xact_lock(hashtextextended('%s', 0))", mine->function_id);
	struct update update = {other, theirs, -1};
	assert_int_equal(pthread_create(&thread, NULL, update_before_it_is_read, &update), 0);
	int rc = db_function_update(f->db, mine, NULL, 0, &stored, &f->err);
	pthread_join(thread, NULL);
	assert_int_equal(update.rc, 0);
	assert_int_equal(rc, -1);
	assert_int_equal(f->err.code, ENOTCONN);
	assert_null(stored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MIGRATED_TEST(a_creation_whose_commit_was_lost_is_told_as_what_became_of_it),
		MIGRATED_TEST(an_update_whose_commit_was_lost_is_told_as_what_became_of_it),
		MIGRATED_TEST(a_deletion_whose_commit_was_lost_is_told_as_what_became_of_it),
		MIGRATED_TEST(a_version_that_somebody_else_has_stored_since_is_not_taken_for_the_lost_one),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
