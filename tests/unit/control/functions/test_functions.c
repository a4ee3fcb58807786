/* Showing, listing, changing and deleting functions, and the requests that are refused. */
#include <libpq-fe.h>
#include <sys/resource.h>

#include "tests/unit/control/control_rig.h"

/* Counts the messages to PostgreSQL whose answer is waited for, which are the round trips. */
static int round_trips;

#define COUNTED(name, params, args)                                                                                            \
	int __wrap_##name params;                                                                                              \
	int __real_##name params;                                                                                              \
	int __wrap_##name params                                                                                               \
	{                                                                                                                      \
		round_trips++;                                                                                                 \
		return __real_##name args;                                                                                     \
	}
COUNTED(PQsendQuery, (PGconn * conn, const char *sql), (conn, sql))
COUNTED(PQsendPrepare, (PGconn * conn, const char *name, const char *sql, int count, const Oid *types),
	(conn, name, sql, count, types))
COUNTED(PQsendQueryPrepared,
	(PGconn * conn, const char *name, int count, const char *const *values, const int *lens, const int *formats,
	 int format),
	(conn, name, count, values, lens, formats, format))
COUNTED(PQsendQueryParams,
	(PGconn * conn, const char *sql, int count, const Oid *types, const char *const *values, const int *lens,
	 const int *formats, int format),
	(conn, sql, count, types, values, lens, formats, format))

static void deploy_two_versions_and_delete(int fd)
{
	deploy_one(fd, 1);
	deploy_settings(fd, 2);
	expect_invalidate(fd, 0);
	fake_poolmgr_expect_close(fd);
}

static void deploy_two(int fd)
{
	for (int i = 0; i < 2; i++)
		deploy_one(fd, 1);
	fake_poolmgr_expect_close(fd);
}

static void deploy_three(int fd)
{
	for (int i = 0; i < 3; i++)
		deploy_one(fd, 1);
	fake_poolmgr_expect_close(fd);
}

static void a_function_is_shown_with_every_limit_in_force(void **state)
{
	static const char *const cases[][2] = {
		{HELLO, "{\"timeout_ms\":3000,\"init_timeout_ms\":10000,\"memory_limit_mb\":128,\"cpus\":1.0,\"pids\":64,"
			"\"nofile\":1024,\"tmp_mb\":64,\"tmp_inodes\":16384,\"request_bytes\":6291456,"
			"\"response_bytes\":6291456,\"log_bytes\":262144,\"max_concurrency\":50}"},
		{"{\"name\":\"other\",\"language\":\"python\",\"code\":\"x\",\"timeout_ms\":101,\"init_timeout_ms\":102,"
		 "\"memory_limit_mb\":103,\"cpus\":0.5,\"pids\":104,\"nofile\":105,\"tmp_mb\":106,\"tmp_inodes\":107,"
		 "\"response_bytes\":1080,\"log_bytes\":109,\"max_concurrency\":110}",
		 "{\"timeout_ms\":101,\"init_timeout_ms\":102,\"memory_limit_mb\":103,\"cpus\":0.5,\"pids\":104,"
		 "\"nofile\":105,\"tmp_mb\":106,\"tmp_inodes\":107,\"request_bytes\":6291456,"
		 "\"response_bytes\":1080,\"log_bytes\":109,\"max_concurrency\":110}"},
	};
	struct fixture *f = *state;

	SERVE(f, deploy_two);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(json_decrefp) json_t *wanted = json_loads(cases[i][1], 0, NULL);
		assert_status(f, call(f, "POST", "/functions", cases[i][0]), 201);
		if (!json_equal(json_object_get(f->answer, "limits"), wanted))
			fail_msg("not %s: %s", cases[i][1], f->response.out.data);
	}
	assert_status(f, call(f, "GET", "/functions/other", ""), 200);
	assert_string_equal(answer_text(f, "runtime"), "gvisor");
	assert_string_equal(answer_text(f, "isolation"), "per_function");
	assert_int_equal(answer_number(f, "pids"), 104);
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void deploy_three_versions_and_a_copy(int fd)
{
	deploy_one(fd, 1);
	deploy_settings(fd, 2);
	deploy_settings(fd, 3);
	deploy_settings(fd, 1);
	fake_poolmgr_expect_close(fd);
}

static void assert_environment(const struct fixture *f, const char *wanted)
{
	AUTO(json_decrefp) json_t *json = json_loads(wanted, 0, NULL);

	if (!json_equal(json_object_get(f->answer, "environment"), json))
		fail_msg("not %s: %s", wanted, f->response.out.data);
}

/* Of the version that is current. */
static void assert_stored(const char *name, const char *wanted)
{
	assert_int_equal(pg_scratch_number(pg,
					   "select count(*) from functions join function_versions using (function_id, version) "
					   "where name = '%s' and environment = '%s'::jsonb",
					   name, wanted),
			 1);
}

static void values_of_secrets_are_never_shown_and_stay_when_their_mask_is_sent_back(void **state)
{
	struct fixture *f = *state;

	SERVE(f, deploy_three_versions_and_a_copy);
	assert_status(f,
		      call(f, "POST", "/functions",
			   "{\"name\":\"hello\",\"language\":\"python\",\"code\":\"x\","
			   "\"environment\":{\"A\":\"1\",\"API_TOKEN\":\"hush\"}}"),
		      201);
	assert_environment(f, "{\"A\":\"1\",\"API_TOKEN\":\"***\"}");
	assert_status(f, call(f, "GET", "/functions/hello", ""), 200);
	assert_environment(f, "{\"A\":\"1\",\"API_TOKEN\":\"***\"}");
	assert_stored("hello", "{\"A\":\"1\",\"API_TOKEN\":\"hush\"}");

	assert_status(f, call(f, "PUT", "/functions/hello", "{\"environment\":{\"A\":\"2\",\"API_TOKEN\":\"***\"}}"), 200);
	assert_environment(f, "{\"A\":\"2\",\"API_TOKEN\":\"***\"}");
	assert_stored("hello", "{\"A\":\"2\",\"API_TOKEN\":\"hush\"}");
	assert_status(f, call(f, "PUT", "/functions/hello", "{\"environment\":{\"API_TOKEN\":\"new\"}}"), 200);
	assert_stored("hello", "{\"API_TOKEN\":\"new\"}");

	assert_status(f, call(f, "POST", "/functions", "{\"name\":\"copy\",\"from\":\"hello\"}"), 201);
	assert_environment(f, "{\"API_TOKEN\":\"***\"}");
	assert_stored("copy", "{\"API_TOKEN\":\"new\"}");

	assert_status(f, call(f, "PUT", "/functions/hello", "{\"environment\":{\"OTHER_SECRET\":\"***\"}}"), 422);
	assert_has(f, "\"field\":\"environment.OTHER_SECRET\",\"code\":\"no_stored_value\"");
	assert_status(f, call(f, "GET", "/functions", ""), 200);
	assert_int_equal(json_array_size(json_object_get(f->answer, "items")), 2);
	assert_null(strstr(f->response.out.data, "environment"));
	assert_null(strstr(f->response.out.data, "API_TOKEN"));
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void a_name_that_is_taken_costs_no_sandbox(void **state)
{
	struct fixture *f = *state;

	SERVE(f, deploy_the_first);
	assert_status(f, call(f, "POST", "/functions", HELLO), 201);
	assert_status(f, call(f, "POST", "/functions", HELLO), 409);
	assert_string_equal(answer_text(f, "code"), "name_taken");
}

static void bad_input_is_refused_before_anything_happens(void **state)
{
	struct fixture *f = *state;

	assert_status(f, call(f, "POST", "/functions", "{\"name\":"), 400);
	assert_string_equal(answer_text(f, "code"), "invalid_json");
	assert_status(f, call(f, "POST", "/functions", ""), 400);
	assert_status(f, call(f, "POST", "/functions", "[]"), 400);
	assert_string_equal(answer_text(f, "code"), "invalid_request");
	assert_status(f, call(f, "POST", "/functions", "{\"name\":\"a\",\"name\":\"b\"}"), 400);
	assert_status(f, call(f, "POST", "/functions", "{\"name\":\"A\",\"timeout\":1}"), 422);
	assert_int_equal(json_array_size(json_object_get(f->answer, "errors")), 4);
	assert_status(f, call(f, "PUT", "/functions/nobody", "{}"), 404);
	assert_status(f, call(f, "GET", "/functions/nobody", ""), 404);
	assert_status(f, call(f, "DELETE", "/functions/nobody", ""), 404);
	assert_status(f, call(f, "GET", "/functions?limit=0", ""), 400);
	assert_status(f, call(f, "GET", "/functions?cursor=x", ""), 400);
}

/* A body of so many of text with commas between. */
static char *long_body(const char *before, const char *text, size_t count, const char *after)
{
	char *body = malloc(strlen(before) + count * (strlen(text) + 1) + strlen(after) + 1);
	char *p = stpcpy(body, before);

	for (size_t i = 0; i < count; i++) {
		p = stpcpy(p, text);
		*p++ = ',';
	}
	strcpy(p - 1, after);
	return body;
}

static void a_body_that_would_take_much_memory_is_refused_before_it_is_parsed(void **state)
{
	static const struct {
		const char *before, *text;
		size_t count;
		const char *after;
	} rows[] = {
		{"{\"name\":[", "{}", 4000000, "]}"},
		{"{\"environment\":{", "\"A\":\"\"", 1000000, "}}"},
		{"{\"environment\":", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", 1, "}"},
	};
	struct fixture *f = *state;
	struct rusage before, after;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *body = long_body(rows[i].before, rows[i].text, rows[i].count, rows[i].after);
		getrusage(RUSAGE_SELF, &before);
		assert_status(f, call(f, "POST", "/functions", body), 400);
		getrusage(RUSAGE_SELF, &after);
		assert_string_equal(answer_text(f, "code"), "invalid_request");
		assert_has(f, "more than 8192 members and elements, or is nested more than 16 deep");
		assert_true(after.ru_maxrss - before.ru_maxrss < 16384); /* KB; it was 900 MB */
		free(body);
	}
}

static void an_answer_is_not_larger_than_what_it_answers(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf body = {0};

	buf_add_str(&body, "{\"name\":1");
	for (int i = 0; i < 8000; i++)
		buf_printf(&body, ",\"field_%d\":1", i);
	buf_add_str(&body, "}");
	assert_status(f, call(f, "POST", "/functions", body.data), 422);
	assert_int_equal(json_array_size(json_object_get(f->answer, "errors")), 20);
	assert_has(f, "At least 20 fields are invalid; see `errors`");
	assert_true(f->response.out.len < 8192);
}

static void a_function_is_changed_and_deleted_only_at_the_version_that_is_meant(void **state)
{
	struct fixture *f = *state;

	SERVE(f, deploy_two_versions_and_delete);
	assert_status(f, call(f, "POST", "/functions", HELLO), 201);
	if_match = "\"2\"";
	assert_status(f, call(f, "PUT", "/functions/hello", "{}"), 412);
	assert_status(f, call(f, "DELETE", "/functions/hello", ""), 412);
	if_match = "W/\"1\"";
	assert_status(f, call(f, "PUT", "/functions/hello", "{}"), 412);
	if_match = "\"1\"";
	assert_status(f, call(f, "PUT", "/functions/hello", "{\"cpus\":0.5,\"name\":\"hallo\"}"), 200);
	assert_has(f, "ETag: \"2\"\r\n");
	assert_has(f, "\"cpus\":0.5");
	assert_int_equal(answer_number(f, "timeout_ms"), 3000);
	if_match = NULL;
	assert_status(f, call(f, "DELETE", "/functions/hallo", ""), 204);
	assert_status(f, call(f, "GET", "/functions/hallo", ""), 404);
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

/* While version 2 is tried, somebody else stores one. */
static void let_another_be_faster(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_CHECK_STORED, &m);
	pg_scratch_exec(pg, "begin; insert into function_versions select (jsonb_populate_record(v, "
			    "'{\"version\":2,\"timeout_ms\":1234}')).* from function_versions v where version = 1; "
			    "update functions set version = 2; commit");
	fake_poolmgr_grant(fd, &m, "{}", load_well);
	expect_release(fd, COUNT_KILL_NOT_DEPLOYED);
}

static void deploy_on_top_of_another(int fd)
{
	deploy_one(fd, 1);
	let_another_be_faster(fd);
	deploy_settings(fd, 3);
	fake_poolmgr_expect_close(fd);
}

static void a_change_of_any_version_that_comes_second_is_made_on_top_of_the_first(void **state)
{
	struct fixture *f = *state;

	SERVE(f, deploy_on_top_of_another);
	assert_status(f, call(f, "POST", "/functions", HELLO), 201);
	assert_status(f, call(f, "PUT", "/functions/hello", "{\"pids\":77}"), 200);
	assert_int_equal(answer_number(f, "version"), 3);
	assert_int_equal(answer_number(f, "pids"), 77);
	assert_int_equal(answer_number(f, "timeout_ms"), 1234);
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void lose_once(int fd)
{
	deploy_one(fd, 1);
	let_another_be_faster(fd);
	fake_poolmgr_expect_close(fd);
}

static void a_change_that_comes_second_is_refused_if_it_means_one_version_or_if_it_took_too_long(void **state)
{
	static const char *const tags[] = {"\"1\"", NULL};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
		SERVE(f, lose_once);
		if (tags[i] == NULL)
			f->conf->control_queue_timeout_ms = 0;
		assert_status(f, call(f, "POST", "/functions", HELLO), 201);
		if_match = tags[i];
		assert_status(f, call(f, "PUT", "/functions/hello", "{\"pids\":77}"), 412);
		if_match = NULL;
		lease_client_free(&f->worker.poolmgr);
		assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
		f->worker.poolmgr = lease_client_new(f->dir, NULL, false);
		pg_scratch_exec(pg, "update functions set version = null, status = 'deleted'; delete from function_versions; "
				    "delete from functions");
	}
}

static void deploy_settings_code_and_a_copy(int fd)
{
	deploy_one(fd, 1);
	deploy_settings(fd, 2);
	deploy_settings(fd, 3);
	deploy_one(fd, 4);
	deploy_settings(fd, 1);
	fake_poolmgr_expect_close(fd);
}

/* One query, BEGIN, one statement that stores, COMMIT. The first two deployments also prepare the statements. */
static void a_deployment_takes_four_round_trips_to_postgresql(void **state)
{
	static const struct {
		const char *method, *uri, *body;
		int status;
	} calls[] = {
		{"PUT", "/functions/hello", "{\"cpus\":0.5,\"min_warm\":1,\"name\":\"hallo\"}", 200},
		{"PUT", "/functions/hallo", "{\"code\":\"def handler(e, c): return 2\"}", 200},
		{"POST", "/functions", "{\"name\":\"copy\",\"from\":\"hallo\"}", 201},
	};
	struct fixture *f = *state;

	SERVE(f, deploy_settings_code_and_a_copy);
	assert_status(f, call(f, "POST", "/functions", HELLO), 201);
	assert_status(f, call(f, "PUT", "/functions/hello", "{\"pids\":99}"), 200);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		round_trips = 0;
		assert_status(f, call(f, calls[i].method, calls[i].uri, calls[i].body), calls[i].status);
		assert_int_equal(round_trips, 4);
	}
	assert_int_equal(pg_scratch_number(pg, "select count(*) from functions join function_versions "
					       "using (function_id, version) where pids = 99 and cpu_millis = 500 "
					       "and min_warm = 1 and name in ('hallo', 'copy')"),
			 2);
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void deploy_old_and_new(int fd)
{
	deploy_one(fd, 1);
	deploy_settings(fd, 2);
	fake_poolmgr_expect_close(fd);
}

static void a_version_of_the_language_at_its_end_of_life_is_warned_of(void **state)
{
	struct fixture *f = *state;

	SERVE(f, deploy_old_and_new);
	assert_status(f,
		      call(f, "POST", "/functions",
			   "{\"name\":\"old\",\"language\":\"python\",\"language_version\":\"1\",\"code\":\"x\"}"),
		      201);
	assert_string_equal(answer_text(f, "language_version"), "1");
	assert_has(f,
		   "\"warnings\":[{\"code\":\"end_of_life\",\"message\":\"python 1 has had no security updates from its makers "
		   "since 2020-12-31; move to a newer language_version, the default is 2\"}]");
	assert_status(f, call(f, "PUT", "/functions/old", "{\"language_version\":\"2\"}"), 200);
	assert_string_equal(answer_text(f, "language_version"), "2");
	assert_null(json_object_get(f->answer, "warnings"));
}

static void a_list_comes_in_pages(void **state)
{
	struct fixture *f = *state;
	char uri[100];

	assert_status(f, call(f, "GET", "/functions", ""), 200);
	assert_has(f, "{\"items\":[],\"next\":null}");
	SERVE(f, deploy_three);
	for (int i = 0; i < 3; i++) {
		char body[200];
		snprintf(body, sizeof(body), "{\"name\":\"f%d\",\"language\":\"python\",\"code\":\"x\"}", i);
		assert_status(f, call(f, "POST", "/functions", body), 201);
	}
	assert_status(f, call(f, "GET", "/functions?limit=2", ""), 200);
	assert_int_equal(json_array_size(json_object_get(f->answer, "items")), 2);
	snprintf(uri, sizeof(uri), "/functions?limit=2&cursor=%s", answer_text(f, "next"));
	assert_status(f, call(f, "GET", uri, ""), 200);
	assert_int_equal(json_array_size(json_object_get(f->answer, "items")), 1);
	assert_has(f, "\"name\":\"f2\"");
	assert_true(json_is_null(json_object_get(f->answer, "next")));
}

static void without_the_database_the_store_is_unavailable(void **state)
{
	struct fixture *f = *state;

	pg_scratch_stop(pg);
	assert_status(f, call(f, "GET", "/functions", ""), 503);
	assert_string_equal(answer_text(f, "code"), "store_unavailable");
	assert_has(f, "Retry-After: 2\r\n");
	assert_null(strstr(f->response.out.data, "stored")); /* nothing was to be */
	assert_status(f, call(f, "POST", "/functions", HELLO), 503);
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_string_equal(answer_text(f, "status"), "not_ready");
	assert_null(strstr(f->response.out.data, "/tmp")); /* where the sockets are */
	assert_null(strstr(f->response.out.data, "PGSQL"));
	assert_status(f, call(f, "GET", "/healthz", ""), 200);
	pg_scratch_start(pg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, control_rig_set_up, control_rig_tear_down)
		TEST(a_function_is_shown_with_every_limit_in_force),
		TEST(values_of_secrets_are_never_shown_and_stay_when_their_mask_is_sent_back),
		TEST(a_name_that_is_taken_costs_no_sandbox),
		TEST(bad_input_is_refused_before_anything_happens),
		TEST(a_body_that_would_take_much_memory_is_refused_before_it_is_parsed),
		TEST(an_answer_is_not_larger_than_what_it_answers),
		TEST(a_function_is_changed_and_deleted_only_at_the_version_that_is_meant),
		TEST(a_change_that_comes_second_is_refused_if_it_means_one_version_or_if_it_took_too_long),
		TEST(a_change_of_any_version_that_comes_second_is_made_on_top_of_the_first),
		TEST(a_deployment_takes_four_round_trips_to_postgresql),
		TEST(a_version_of_the_language_at_its_end_of_life_is_warned_of),
		TEST(a_list_comes_in_pages),
		TEST(without_the_database_the_store_is_unavailable),
#undef TEST
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
