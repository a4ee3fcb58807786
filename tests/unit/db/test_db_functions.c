/* Functions and their versions in PostgreSQL. */
#include "db/db_functions.h"

#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/db/function_rig.h"

static void a_function_comes_back_as_it_was_stored(void **state)
{
	struct fixture *f = *state;
	AUTO(spec_free) struct spec *spec = make_spec("hello", "code");
	AUTO(db_function_free) struct db_function *stored = NULL, *by_id = NULL, *by_name = NULL;

	assert_int_equal(db_function_create(f->db, spec, "code", 4, &stored, &f->err), 0);
	assert_string_equal(stored->status, "active");
	assert_in_range(clock_wall_us() - stored->created_at_us, 0, 60000000);
	assert_int_equal(stored->updated_at_us, stored->created_at_us);
	assert_int_equal(db_function_get(f->db, "hello", &by_name, &f->err), 0);
	assert_int_equal(db_function_get(f->db, spec->function_id, &by_id, &f->err), 0);

	json_t *wanted = spec_to_json(spec), *one = spec_to_json(by_id->spec), *other = spec_to_json(by_name->spec);
	assert_true(json_equal(wanted, one));
	assert_true(json_equal(wanted, other));
	json_decref(wanted);
	json_decref(one);
	json_decref(other);
}

static void a_name_can_be_taken_once(void **state)
{
	struct fixture *f = *state;
	AUTO(spec_free) struct spec *again = make_spec("hello", "other code");
	AUTO(db_function_free) struct db_function *stored = NULL;

	create_function(f, "hello", "code");
	assert_int_equal(db_function_create(f->db, again, "other code", 10, &stored, &f->err), -1);
	assert_int_equal(f->err.code, EEXIST);
	assert_string_equal(f->err.msg, "there is a function named 'hello' already");
	assert_null(stored);
	assert_int_equal(count_packages(), 1);
}

static void an_update_makes_a_new_version_and_keeps_the_old_one(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;
	AUTO(spec_free) struct spec *old = NULL;

	create_function(f, "hello", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "hello");
	spec->version = 2;
	spec->timeout_ms = 9000;
	mem_free(&spec->name);
	spec->name = mem_strdup("renamed");
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), 0);
	assert_int_equal(stored->spec->version, 2);
	assert_string_equal(stored->spec->name, "renamed");
	assert_int_equal(db_function_spec(f->db, "renamed", 1, &old, &f->err), 0);
	assert_int_equal(old->timeout_ms, 3000);
	assert_int_equal(db_function_spec(f->db, "renamed", 3, &old, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
	assert_int_equal(db_function_spec(f->db, "hello", 0, &old, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
}

static void an_update_of_another_version_than_the_current_one_is_stale(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;

	create_function(f, "hello", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "hello");
	spec->version = 3;
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), -1);
	assert_int_equal(f->err.code, ESTALE);
	spec->version = 2;
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), 0);
	db_function_free(&stored);
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), -1);
	assert_int_equal(f->err.code, ESTALE);
}

static void an_update_cannot_take_the_name_of_another_function(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;

	create_function(f, "hello", "code");
	create_function(f, "other", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "other");
	spec->version = 2;
	mem_free(&spec->name);
	spec->name = mem_strdup("hello");
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), -1);
	assert_int_equal(f->err.code, EEXIST);
}

static void an_update_needs_a_package_that_is_there(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;

	create_function(f, "hello", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "hello");
	spec->version = 2;
	mem_free(&spec->package_sha256);
	spec->package_sha256 = sha256_of("nowhere");
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
	assert_int_equal(db_function_update(f->db, spec, "not that", 8, &stored, &f->err), -1);
	assert_int_equal(f->err.code, EINVAL);
	assert_int_equal(db_function_update(f->db, spec, "nowhere", 7, &stored, &f->err), 0);
	assert_int_equal(count_packages(), 2);
}

static void functions_are_listed_page_by_page(void **state)
{
	struct fixture *f = *state;
	struct uuid ids[5], gone;
	AUTO(db_function_free) struct db_function *page = NULL;

	for (int i = 0; i < 5; i++) {
		char name[] = {'f', (char)('0' + i), '\0'};
		ids[i] = create_function(f, name, "code");
		usleep(2000); /* ids sort by the millisecond */
	}
	assert_int_equal(db_function_delete(f->db, "f1", -1, &gone, &f->err), 0);
	assert_int_equal(db_function_list(f->db, 2, NULL, &page, &f->err), 0);
	assert_string_equal(page->spec->name, "f0");
	assert_int_equal(json_object_size(page->spec->environment), 0);
	assert_string_equal(page->next->spec->name, "f2");
	assert_null(page->next->next);
	db_function_free(&page);
	assert_int_equal(db_function_list(f->db, 10, &ids[2], &page, &f->err), 0);
	assert_string_equal(page->spec->name, "f3");
	assert_string_equal(page->next->spec->name, "f4");
	db_function_free(&page);
	assert_int_equal(db_function_list(f->db, 10, &ids[4], &page, &f->err), 0);
	assert_null(page);
}

static void a_deleted_function_is_gone_and_its_name_free(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *found = NULL;
	struct uuid id = create_function(f, "hello", "code"), gone;
	char text[UUID_TEXT_SIZE];

	uuid_format(&id, text);
	assert_int_equal(db_function_delete(f->db, "hello", 2, &gone, &f->err), -1);
	assert_int_equal(f->err.code, ESTALE);
	assert_int_equal(db_function_delete(f->db, "hello", 1, &gone, &f->err), 0);
	assert_memory_equal(&gone, &id, sizeof(id));
	assert_int_equal(db_function_get(f->db, text, &found, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
	assert_int_equal(db_function_delete(f->db, text, -1, &gone, &f->err), -1);
	assert_int_equal(f->err.code, ENOENT);
	assert_int_equal(count_packages(), 0);
	create_function(f, "hello", "code");
	AUTO(mem_free) char *name = pg_scratch_value(pg, "select name from functions where function_id = '%s'", text);
	assert_string_equal(name, "hello");
}

static void next_notice(PGconn *conn, const char *id, int version)
{
	AUTO(mem_free) char *wanted = mem_printf("{\"function_id\":\"%s\",\"version\":%d}", id, version);
	PGresult *r = PQexec(conn, "select 1"); /* takes in what is there */

	PQclear(r);
	PGnotify *n = PQnotifies(conn);
	assert_non_null(n);
	assert_string_equal(n->relname, "berth_functions");
	assert_string_equal(n->extra, wanted);
	PQfreemem(n);
}

static void every_change_of_the_current_version_is_notified(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;
	struct uuid gone;
	PGconn *listener = PQconnectdb(f->conf->database_conninfo);

	PQclear(PQexec(listener, "listen berth_functions"));
	create_function(f, "hello", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "hello");
	next_notice(listener, spec->function_id, 1);
	spec->version = 2;
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), 0);
	next_notice(listener, spec->function_id, 2);
	assert_int_equal(db_function_delete(f->db, "hello", -1, &gone, &f->err), 0);
	next_notice(listener, spec->function_id, 0);
	PQfinish(listener);
}

static void assert_warm_of(struct fixture *f, int64_t sandboxes, int64_t memory_mb, const struct db_look_for *what)
{
	struct db_look look;

	assert_int_equal(db_function_look(f->db, what, &look, &f->err), 0);
	AUTO(db_function_free) struct db_function *found = look.function;
	assert_int_equal(look.warm_sandboxes, sandboxes);
	assert_int_equal(look.warm_memory_mb, memory_mb);
}
#define assert_warm(f, sandboxes, memory_mb, ...) assert_warm_of(f, sandboxes, memory_mb, &(struct db_look_for){__VA_ARGS__})

static void what_min_warm_keeps_ready_is_added_up_of_current_versions(void **state)
{
	struct fixture *f = *state;
	AUTO(db_function_free) struct db_function *stored = NULL;
	struct uuid gone;

	assert_warm(f, 0, 0, .warm = true);
	create_function(f, "three", "code");
	create_function(f, "changed", "code");
	create_function(f, "deleted", "code");
	AUTO(spec_free) struct spec *spec = current_spec(f, "changed");
	spec->version = 2;
	spec->min_warm = 2;
	spec->memory_limit_mb = 200;
	assert_int_equal(db_function_update(f->db, spec, NULL, 0, &stored, &f->err), 0);
	assert_int_equal(db_function_delete(f->db, "deleted", -1, &gone, &f->err), 0);
	assert_warm(f, 3 + 2, 3 * 128 + 2 * 200, .warm = true);
	assert_warm(f, 3 + 2, 3 * 128 + 2 * 200, .warm = true, .but_for_it = true);
	assert_warm(f, 3 + 2, 3 * 128 + 2 * 200, .ref = "changed");
	assert_warm(f, 3, 3 * 128, .ref = "changed", .but_for_it = true);
	assert_warm(f, 0, 0, .ref = "nobody"); /* the sums are not made if they are not needed */
}

static void one_look_finds_the_function_and_who_has_the_name(void **state)
{
	struct fixture *f = *state;
	const struct uuid one_id = create_function(f, "one", "code"), two_id = create_function(f, "two", "code");
	char one[UUID_TEXT_SIZE], two[UUID_TEXT_SIZE];
	const struct {
		const char *ref, *name, *function, *namesake;
	} cases[] = {
		{NULL, NULL, NULL, NULL}, {"one", NULL, one, NULL},     {one, "two", one, two},       {NULL, "one", NULL, one},
		{"one", "one", one, one}, {"nobody", "one", NULL, one}, {"two", "nobody", two, NULL},
	};

	uuid_format(&one_id, one);
	uuid_format(&two_id, two);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct db_look_for what = {.ref = cases[i].ref, .name = cases[i].name};
		struct db_look look;
		assert_int_equal(db_function_look(f->db, &what, &look, &f->err), 0);
		AUTO(db_function_free) struct db_function *found = look.function;
		assert_int_equal(found != NULL, cases[i].function != NULL);
		if (found != NULL)
			assert_string_equal(found->spec->function_id, cases[i].function);
		assert_string_equal(look.namesake, cases[i].namesake != NULL ? cases[i].namesake : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MIGRATED_TEST(a_function_comes_back_as_it_was_stored),
		MIGRATED_TEST(a_name_can_be_taken_once),
		MIGRATED_TEST(an_update_makes_a_new_version_and_keeps_the_old_one),
		MIGRATED_TEST(an_update_of_another_version_than_the_current_one_is_stale),
		MIGRATED_TEST(an_update_cannot_take_the_name_of_another_function),
		MIGRATED_TEST(an_update_needs_a_package_that_is_there),
		MIGRATED_TEST(functions_are_listed_page_by_page),
		MIGRATED_TEST(one_look_finds_the_function_and_who_has_the_name),
		MIGRATED_TEST(what_min_warm_keeps_ready_is_added_up_of_current_versions),
		MIGRATED_TEST(a_deleted_function_is_gone_and_its_name_free),
		MIGRATED_TEST(every_change_of_the_current_version_is_notified),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
