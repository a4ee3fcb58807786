/* The control pool's handlers, with a real database and a poolmgr and agents that are the test's. */
#include "control/functions/functions.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "control/control.h"
#include "db/db.h"
#include "http/response.h"
#include "http/route.h"
#include "run/invocation.h"
#include "run/lease.h"
#include "tests/support/described.h"
#include "tests/support/fake_agent.h"
#include "tests/support/fake_poolmgr.h"
#include "tests/support/pg_scratch.h"
#include "tests/unit/unit.h"
#include "worker/worker.h"

static struct pg_scratch *pg;

struct fixture {
	char *dir;
	struct conf *conf;
	struct worker worker;
	struct fake_poolmgr poolmgr;
	struct request request;
	struct response response;
	json_t *answer;
};

static int start_postgres(void **state)
{
	(void)state;
	pg = pg_scratch_new();
	return 0;
}

static int stop_postgres(void **state)
{
	(void)state;
	pg_scratch_free(&pg);
	return 0;
}

static void add_language(struct fixture *f)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/python", f->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/python/runtime.json", f->dir);
	unit_write_file(path, "{\"language\":\"python\",\"image\":\"i\",\"command\":[\"x\"],\"source_file\":\"main.py\","
			      "\"default_handler\":\"main.handler\",\"min_memory_mb\":64}");
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct worker *w = &f->worker;
	struct err err = {0};

	pg_scratch_reset(pg);
	f->dir = unit_make_dir();
	f->conf = pg_scratch_conf(pg);
	free(f->conf->sandbox_runtimes_dir);
	f->conf->sandbox_runtimes_dir = strdup(f->dir);
	add_language(f);
	w->service = &control_service;
	w->conf = f->conf;
	int board_fd;
	assert_ok(scoreboard_create(2, &w->board, &board_fd, &err));
	close(board_fd);
	scoreboard_set_used(w->board, 2);
	w->poolmgr = lease_client_new(f->dir, NULL, false);
	w->invocation = invocation_new(f->conf, w->poolmgr, NULL);
	w->db = db_new(f->conf, "test");
	assert_ok(language_load_all(f->conf, &w->languages, &err));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	json_decref(f->answer);
	response_free(&f->response);
	db_free(&f->worker.db);
	language_free(&f->worker.languages);
	invocation_free(&f->worker.invocation);
	lease_client_free(&f->worker.poolmgr);
	scoreboard_close(&f->worker.board);
	fake_poolmgr_kill(&f->poolmgr);
	conf_free(&f->conf);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

#define SERVE(f, ...)                                                                                                          \
	do {                                                                                                                   \
		static void (*const scripts_[])(int) = {__VA_ARGS__};                                                          \
		fake_poolmgr_kill(&(f)->poolmgr);                                                                              \
		fake_poolmgr_start(&(f)->poolmgr, (f)->dir, scripts_, ARRAY_SIZE(scripts_), 0);                                \
	} while (0)

static const char *if_match;

static const char *variable(void *context, const char *name)
{
	(void)context;
	return strcmp(name, "HTTP_IF_MATCH") == 0 ? if_match : NULL;
}

/* One request, answered; returns the status. */
static int call(struct fixture *f, const char *method, const char *uri, const char *body)
{
	const char *query = strchr(uri, '?');
	struct request_source source = {.method = method, .uri = uri, .query = query ? query + 1 : "", .variable = variable};
	struct err err = {0};

	assert_ok(request_parse(&source, &f->request, &err));
	f->request.body = body;
	f->request.body_len = strlen(body);
	response_begin(&f->response, &f->request);
	const struct service *service = &control_service;
	const struct route *route = route_select(service->routes, service->route_count, f->conf, &f->request, &f->response);
	if (route != NULL)
		route->handler(&f->worker, &f->request, &f->response);
	json_decref(f->answer);
	f->answer = json_loads(strstr(f->response.out.data, "\r\n\r\n") + 4, 0, NULL);
	assert_answer_described(method, uri, f->response.status, f->answer);
	return f->response.status;
}

static const char *text(const struct fixture *f, const char *name)
{
	const char *value = json_string_value(json_object_get(f->answer, name));

	return value != NULL ? value : "";
}

static long number(const struct fixture *f, const char *name)
{
	return (long)json_integer_value(json_object_get(f->answer, name));
}

static void assert_status(const struct fixture *f, int actual, int wanted)
{
	if (actual != wanted)
		fail_msg("status %d: %s", actual, buf_str(&f->response.out));
}

static void assert_has(const struct fixture *f, const char *part)
{
	if (strstr(f->response.out.data, part) == NULL)
		fail_msg("no '%s' in %s", part, f->response.out.data);
}

/* Agents. */

static void load_well(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INIT, &payload);
	fake_agent_send(control, FRAME_READY, "{}");
	fake_agent_wait_for_close(control);
}

static void load_with(int control, const char *report)
{
	AUTO(buf_free) struct buf payload = {0};

	fake_agent_expect(control, FRAME_INIT, &payload);
	fake_agent_send(control, FRAME_INIT_ERROR, report);
	_exit(1);
}

static void load_with_syntax_error(int control, int log)
{
	(void)log;
	load_with(control,
		  "{\"kind\":\"syntax\",\"type\":\"SyntaxError\",\"message\":\"invalid syntax\",\"stack\":[],\"line\":7}");
}

static void load_without_handler(int control, int log)
{
	(void)log;
	load_with(control, "{\"kind\":\"handler\",\"type\":\"HandlerError\",\"message\":\"no 'handler'\",\"stack\":[]}");
}

static void load_with_exception(int control, int log)
{
	(void)log;
	load_with(control, "{\"kind\":\"exception\",\"type\":\"OSError\",\"message\":\"no network\",\"stack\":[]}");
}

static void exit_while_loading(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INIT, &payload);
}

/* Poolmgrs. */

static void check_with(int fd, void (*agent)(int, int))
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_CHECK, &m);
	fake_poolmgr_grant(fd, &m, "{\"handler\":\"main.handler\"}", agent);
}

/* The agent exits while it loads, and the worker asks why. */
static void check_exit(int fd, struct finding finding)
{
	struct ipc_msg m;

	check_with(fd, exit_while_loading);
	fake_poolmgr_expect(fd, IPC_AUTOPSY, &m);
	fake_poolmgr_find(fd, &m, finding.known, finding.out_of_memory, finding.exit_code);
}

static void expect_invalidate(int fd, uint32_t version)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_INVALIDATE, &m);
	fake_poolmgr_check(m.invalidate.version == version, "version");
	struct ipc_msg done = {.type = IPC_DONE, .done = {.seq = m.invalidate.seq}};
	fake_poolmgr_send(fd, &done);
}

static void expect_release(int fd, enum counter reason)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_RELEASE, &m);
	fake_poolmgr_check(m.release.reason == reason, "reason");
}

static void deploy_one(int fd, uint32_t version)
{
	check_with(fd, load_well);
	expect_invalidate(fd, version);
	expect_release(fd, 0);
}

static void deploy_the_first(int fd)
{
	deploy_one(fd, 1);
	fake_poolmgr_expect_close(fd);
}

static void deploy_two_versions_and_delete(int fd)
{
	deploy_one(fd, 1);
	deploy_one(fd, 2);
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

static void hang_while_loading(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INIT, &payload);
	fake_agent_wait_for_close(control);
}

#define HELLO "{\"name\":\"hello\",\"language\":\"python\",\"code\":\"def handler(e, c): return 1\"}"

static void a_function_is_tried_stored_published_and_its_sandbox_kept(void **state)
{
	struct fixture *f = *state;

	SERVE(f, deploy_the_first);
	assert_status(f, call(f, "POST", "/functions", HELLO), 201);
	assert_has(f, "ETag: \"1\"\r\n");
	assert_has(f, "Location: /functions/");
	assert_string_equal(text(f, "name"), "hello");
	assert_string_equal(text(f, "status"), "active");
	assert_int_equal(number(f, "version"), 1);
	assert_int_equal(number(f, "timeout_ms"), 3000);
	assert_has(f, "\"cpus\":1.0");
	assert_int_equal(strlen(text(f, "id")), 36);
	assert_int_equal(strlen(text(f, "created_at")), 24);
	assert_null(json_object_get(f->answer, "warnings"));
	assert_null(json_object_get(f->answer, "code"));
	assert_int_equal(pg_scratch_number(pg, "select count(*) from packages"), 1);

	assert_status(f, call(f, "GET", "/functions/hello", ""), 200);
	assert_int_equal(number(f, "version"), 1);
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
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
	assert_string_equal(text(f, "runtime"), "gvisor");
	assert_string_equal(text(f, "isolation"), "per_function");
	assert_int_equal(number(f, "pids"), 104);
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void check_syntax(int fd)
{
	check_with(fd, load_with_syntax_error);
	expect_release(fd, COUNT_KILL_NOT_DEPLOYED);
	check_with(fd, load_without_handler);
	expect_release(fd, COUNT_KILL_NOT_DEPLOYED);
	fake_poolmgr_expect_close(fd);
}

static void code_that_cannot_work_is_refused_and_nothing_is_stored(void **state)
{
	struct fixture *f = *state;

	SERVE(f, check_syntax);
	assert_status(f, call(f, "POST", "/functions", HELLO), 422);
	assert_string_equal(text(f, "code"), "invalid_function");
	assert_has(f, "\"errors\":[{\"field\":\"code\",\"code\":\"does_not_compile\"");
	assert_has(f, "\"line\":7");
	assert_status(f, call(f, "POST", "/functions", HELLO), 422);
	assert_has(f, "\"errors\":[{\"field\":\"handler\",\"code\":\"handler_not_found\"");
	assert_int_equal(pg_scratch_number(pg, "select count(*) from functions"), 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from packages"), 0);
}

static void check_doubtful(int fd)
{
	check_with(fd, load_with_exception);
	expect_invalidate(fd, 1);
	expect_release(fd, COUNT_KILL_NOT_LOADED);
	check_exit(fd, (struct finding){.known = true, .exit_code = 3});
	expect_invalidate(fd, 2);
	expect_release(fd, COUNT_KILL_NOT_LOADED);
	check_exit(fd, (struct finding){.known = true, .out_of_memory = true, .exit_code = 137});
	expect_invalidate(fd, 3);
	expect_release(fd, COUNT_KILL_NOT_LOADED);
	fake_poolmgr_expect_close(fd);
}

static void what_may_depend_on_the_moment_is_a_warning(void **state)
{
	struct fixture *f = *state;

	SERVE(f, check_doubtful);
	assert_status(f, call(f, "POST", "/functions", HELLO), 201);
	assert_has(f, "\"warnings\":[{\"code\":\"init_error\",\"message\":\"OSError: no network\"}]");
	assert_status(f, call(f, "PUT", "/functions/hello", "{\"timeout_ms\":200}"), 200);
	assert_has(f, "\"warnings\":[{\"code\":\"sandbox_exited\"");
	assert_has(f, "exited with code 3");
	assert_status(f, call(f, "PUT", "/functions/hello", "{\"timeout_ms\":300}"), 200);
	assert_has(f, "\"warnings\":[{\"code\":\"out_of_memory\"");
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void check_slow(int fd)
{
	check_with(fd, hang_while_loading);
	expect_invalidate(fd, 1);
	expect_release(fd, COUNT_KILL_NOT_LOADED);
	fake_poolmgr_expect_close(fd);
}

static void a_trial_ends_after_its_own_time_whatever_the_function_may_take(void **state)
{
	struct fixture *f = *state;

	f->conf->deploy_trial_timeout_ms = 100;
	SERVE(f, check_slow);
	int64_t start_us = clock_mono_us();
	assert_status(f, call(f, "POST", "/functions", HELLO), 201);
	assert_true(clock_mono_us() - start_us < 5000000); /* init_timeout_ms is 10 s, and the fake's grant says as much */
	assert_has(f, "\"warnings\":[{\"code\":\"function_timeout\",\"message\":\"The code was still loading after 100 ms");
	assert_has(f, "waits up to 10000 ms (init_timeout_ms)");
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void deploy_three_versions_and_a_copy(int fd)
{
	for (uint32_t version = 1; version <= 3; version++)
		deploy_one(fd, version);
	deploy_one(fd, 1);
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
	assert_string_equal(text(f, "code"), "name_taken");
}

static void bad_input_is_refused_before_anything_happens(void **state)
{
	struct fixture *f = *state;

	assert_status(f, call(f, "POST", "/functions", "{\"name\":"), 400);
	assert_string_equal(text(f, "code"), "invalid_json");
	assert_status(f, call(f, "POST", "/functions", ""), 400);
	assert_status(f, call(f, "POST", "/functions", "[]"), 400);
	assert_string_equal(text(f, "code"), "invalid_request");
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
		assert_string_equal(text(f, "code"), "invalid_request");
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
	assert_int_equal(number(f, "timeout_ms"), 3000);
	if_match = NULL;
	assert_status(f, call(f, "DELETE", "/functions/hallo", ""), 204);
	assert_status(f, call(f, "GET", "/functions/hallo", ""), 404);
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
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
	snprintf(uri, sizeof(uri), "/functions?limit=2&cursor=%s", text(f, "next"));
	assert_status(f, call(f, "GET", uri, ""), 200);
	assert_int_equal(json_array_size(json_object_get(f->answer, "items")), 1);
	assert_has(f, "\"name\":\"f2\"");
	assert_true(json_is_null(json_object_get(f->answer, "next")));
}

static void deny(int fd)
{
	struct ipc_msg m;

	fake_poolmgr_expect(fd, IPC_CHECK, &m);
	struct ipc_msg answer = {.type = IPC_DENY,
				 .deny = {.seq = m.check.seq,
					  .code = PROBLEM_RUNTIME_UNAVAILABLE,
					  .detail = STR("connect to '/secret/place.sock': refused"),
					  .retry_after_ms = 7000}};
	fake_poolmgr_send(fd, &answer);
	fake_poolmgr_expect_close(fd);
}

static void without_a_sandbox_nothing_is_deployed(void **state)
{
	struct fixture *f = *state;

	SERVE(f, deny);
	assert_status(f, call(f, "POST", "/functions", HELLO), 503);
	assert_string_equal(text(f, "code"), "runtime_unavailable");
	assert_string_equal(text(f, "detail"), "connect to '…': refused");
	assert_has(f, "Retry-After: 7\r\n");
	assert_int_equal(pg_scratch_number(pg, "select count(*) from functions"), 0);
}

static void vanish_before_the_publication(int fd)
{
	struct ipc_msg m;

	check_with(fd, load_well);
	fake_poolmgr_expect(fd, IPC_INVALIDATE, &m);
}

static void a_change_that_is_stored_succeeds_without_poolmgr(void **state)
{
	struct fixture *f = *state;

	SERVE(f, vanish_before_the_publication);
	assert_status(f, call(f, "POST", "/functions", HELLO), 201);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from functions"), 1);
}

static void without_the_database_the_store_is_unavailable(void **state)
{
	struct fixture *f = *state;

	pg_scratch_stop(pg);
	assert_status(f, call(f, "GET", "/functions", ""), 503);
	assert_string_equal(text(f, "code"), "store_unavailable");
	assert_has(f, "Retry-After: 2\r\n");
	assert_null(strstr(f->response.out.data, "stored")); /* nothing was to be */
	assert_status(f, call(f, "POST", "/functions", HELLO), 503);
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_string_equal(text(f, "status"), "not_ready");
	assert_null(strstr(f->response.out.data, "/tmp")); /* where the sockets are */
	assert_null(strstr(f->response.out.data, "PGSQL"));
	assert_status(f, call(f, "GET", "/healthz", ""), 200);
	pg_scratch_start(pg);
}

static void tell_numbers(int fd)
{
	static const char *const stats[] = {
		"{\"docker\":{\"ok\":true,\"detail\":\"\",\"version\":\"20.10\"},\"sandboxes\":{\"spare\":2},"
		"\"runtimes\":{\"gvisor\":{\"available\":true}},\"images\":{\"python\":true}}",
		"{\"docker\":{\"ok\":true},\"runtimes\":{\"gvisor\":{\"available\":false,\"detail\":\"run scripts/gvisor\"}},"
		"\"images\":{\"python\":false}}",
		"{\"docker\":{\"ok\":true},\"images\":{}}",
		"{\"docker\":{\"ok\":false,\"detail\":\"connect to '/run/d.sock': refused\",\"version\":\"\"},"
		"\"database\":{\"ok\":false,\"detail\":\"server at \\\"db.example\\\" failed\"}}",
		"no json",
	};
	struct ipc_msg m;

	for (size_t i = 0; i < ARRAY_SIZE(stats); i++) {
		fake_poolmgr_expect(fd, IPC_STATS, &m);
		struct ipc_msg reply = {.type = IPC_STATS_REPLY, .stats_reply = {.seq = m.stats.seq, .json = STR(stats[i])}};
		fake_poolmgr_send(fd, &reply);
	}
	fake_poolmgr_expect_close(fd);
}

static void readiness_is_that_of_what_it_depends_on(void **state)
{
	struct fixture *f = *state;

	SERVE(f, tell_numbers);
	assert_status(f, call(f, "GET", "/readyz", ""), 200);
	assert_string_equal(text(f, "status"), "ready");
	assert_has(f, "\"sandboxes\":{\"spare\":2}");
	assert_has(f, "\"runtime\":{\"status\":\"ok\"");
	assert_has(f, "\"images\":{\"status\":\"ok\"");
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_has(f, "\"runtime\":{\"status\":\"failed\",\"detail\":\"the default runtime gvisor is not available: run "
		      "scripts/gvisor\"}");
	assert_has(f, "\"docker\":{\"status\":\"ok\"");
	assert_has(f, "\"images\":{\"status\":\"failed\",\"detail\":\"the image of python, i, is missing "
		      "on this node: "
		      "scripts/images --language python builds it\"}");
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_has(f, "\"runtime\":{\"status\":\"failed\",\"detail\":\"the default runtime gvisor is not available: the pool "
		      "manager gave no reason\"}");
	assert_has(f, "\"images\":{\"status\":\"failed\",\"detail\":\"the pool manager has not checked");
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_has(f, "\"docker\":{\"status\":\"failed\",\"detail\":\"connect to '…': refused\"}");
	assert_null(strstr(f->response.out.data, "/run"));
	assert_null(strstr(f->response.out.data, "db.example"));
	assert_has(f, "\"database\":{\"status\":\"ok\"");
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_has(f, "\"poolmgr\":{\"status\":\"failed\"");
}

static void be_silent(struct fixture *f, int place, enum child_role role)
{
	struct slot *slot = scoreboard_slot(f->worker.board, place);

	slot->role = role;
	slot->pid = 4711;
	slot->state = SLOT_IDLE;
	slot->beat_us = clock_mono_us() - 3 * SLOT_SILENT_US;
}

/* It is not asked, which would take as long as it is given for an answer. */
static void a_process_that_shows_no_sign_of_life_is_told(void **state)
{
	struct fixture *f = *state;

	be_silent(f, 0, CHILD_COLLECTOR);
	SERVE(f, tell_numbers);
	assert_status(f, call(f, "GET", "/readyz", ""), 200);
	assert_has(f, "\"processes\":{\"status\":\"failed\",\"detail\":\"collector has shown no sign of life for ");
	assert_has(f, "\"poolmgr\":{\"status\":\"ok\"");
	be_silent(f, 1, CHILD_POOLMGR);
	int64_t start_us = clock_mono_us();
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_true(clock_mono_us() - start_us < 400000);
	assert_has(f, "\"poolmgr\":{\"status\":\"failed\",\"detail\":\"the pool manager has shown no sign of life for ");
}

static void tell_everything(int fd)
{
	static const char json[] = "{\"docker\":{\"ok\":true},\"sandboxes\":{\"spare\":2},\"spool_bytes\":7,"
				   "\"berthd\":{\"version\":\"1\"},\"processes\":{\"invoke\":{\"idle\":4}}}";
	struct ipc_msg m;

	for (int i = 0; i < 2; i++) {
		fake_poolmgr_expect(fd, IPC_STATS, &m);
		assert_int_equal(m.stats.whole, 1);
		struct ipc_msg reply = {.type = IPC_STATS_REPLY, .stats_reply = {.seq = m.stats.seq, .json = STR(json)}};
		fake_poolmgr_send(fd, &reply);
	}
	fake_poolmgr_expect_close(fd);
}

static void the_system_is_what_poolmgr_says_and_whether_the_database_answers(void **state)
{
	struct fixture *f = *state;

	SERVE(f, tell_everything);
	assert_status(f, call(f, "GET", "/metrics/system", ""), 200);
	assert_has(f, "\"pool\":{\"docker\":{\"ok\":true},\"sandboxes\":{\"spare\":2}}");
	assert_has(f, "\"processes\":{\"invoke\":{\"idle\":4}}");
	assert_has(f, "\"berthd\":{\"version\":\"1\"},");
	assert_has(f, "\"spool_bytes\":7");
	assert_has(f, "\"database\":{\"status\":\"ok\"");
	pg_scratch_stop(pg);
	assert_status(f, call(f, "GET", "/metrics/system", ""), 200);
	assert_has(f, "\"database\":{\"status\":\"failed\"");
	pg_scratch_start(pg);
}

static void without_poolmgr_there_are_no_numbers_of_the_system(void **state)
{
	struct fixture *f = *state;

	assert_status(f, call(f, "GET", "/metrics/system", ""), 503);
	assert_string_equal(text(f, "code"), "runtime_unavailable");
	assert_has(f, "Retry-After: ");
}

static void the_limits_are_those_of_the_validation(void **state)
{
	struct fixture *f = *state;

	assert_status(f, call(f, "GET", "/limits", ""), 200);
	assert_has(f, "\"timeout_ms\":{\"type\":\"integer\",\"required\":false,\"min\":100,\"max\":900000,\"default\":3000}");
	assert_has(f, "\"values\":[\"python\"]");
	assert_has(f, "\"pids\":{\"type\":\"integer\",\"required\":false,\"min\":8,\"max\":1024,\"default\":64}");
	const json_t *invocation = json_object_get(f->answer, "invocation");
	assert_int_equal(json_object_size(invocation), 2);
	assert_int_equal(json_integer_value(json_object_get(invocation, "request_bytes")), 6291456);
	assert_int_equal(json_integer_value(json_object_get(invocation, "queue_timeout_ms")), 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_function_is_tried_stored_published_and_its_sandbox_kept),
		TEST(a_function_is_shown_with_every_limit_in_force),
		TEST(code_that_cannot_work_is_refused_and_nothing_is_stored),
		TEST(what_may_depend_on_the_moment_is_a_warning),
		TEST(a_trial_ends_after_its_own_time_whatever_the_function_may_take),
		TEST(values_of_secrets_are_never_shown_and_stay_when_their_mask_is_sent_back),
		TEST(a_name_that_is_taken_costs_no_sandbox),
		TEST(bad_input_is_refused_before_anything_happens),
		TEST(a_body_that_would_take_much_memory_is_refused_before_it_is_parsed),
		TEST(an_answer_is_not_larger_than_what_it_answers),
		TEST(a_function_is_changed_and_deleted_only_at_the_version_that_is_meant),
		TEST(a_list_comes_in_pages),
		TEST(without_a_sandbox_nothing_is_deployed),
		TEST(a_change_that_is_stored_succeeds_without_poolmgr),
		TEST(without_the_database_the_store_is_unavailable),
		TEST(a_process_that_shows_no_sign_of_life_is_told),
		TEST(readiness_is_that_of_what_it_depends_on),
		TEST(the_system_is_what_poolmgr_says_and_whether_the_database_answers),
		TEST(without_poolmgr_there_are_no_numbers_of_the_system),
		TEST(the_limits_are_those_of_the_validation),
#undef TEST
	};

	return cmocka_run_group_tests(tests, start_postgres, stop_postgres);
}
