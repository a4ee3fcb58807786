/* A deployment: the trial of the code, and when it counts. */
#include "base/clock.h"
#include "tests/unit/control/control_rig.h"

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

/* The agent exits while it loads the stored package, and the worker asks poolmgr for the reason. */
static void check_exit(int fd, struct finding finding)
{
	struct ipc_msg m;

	check_as(fd, IPC_CHECK_STORED, exit_while_loading);
	fake_poolmgr_expect(fd, IPC_POSTMORTEM, &m);
	fake_poolmgr_find(fd, &m, finding.known, finding.out_of_memory, finding.exit_code);
}

static void hang_while_loading(int control, int log)
{
	AUTO(buf_free) struct buf payload = {0};

	(void)log;
	fake_agent_expect(control, FRAME_INIT, &payload);
	fake_agent_wait_for_close(control);
}

static void a_function_is_tried_stored_published_and_its_sandbox_kept(void **state)
{
	struct fixture *f = *state;

	SERVE(f, deploy_the_first);
	assert_status(f, call(f, "POST", "/functions", HELLO), 201);
	assert_has(f, "ETag: \"1\"\r\n");
	assert_has(f, "Location: /functions/");
	assert_string_equal(answer_text(f, "name"), "hello");
	assert_string_equal(answer_text(f, "status"), "active");
	assert_int_equal(answer_number(f, "version"), 1);
	assert_int_equal(answer_number(f, "timeout_ms"), 3000);
	assert_has(f, "\"cpus\":1.0");
	assert_int_equal(strlen(answer_text(f, "id")), 36);
	assert_int_equal(strlen(answer_text(f, "created_at")), 24);
	assert_null(json_object_get(f->answer, "warnings"));
	assert_null(json_object_get(f->answer, "code"));
	assert_int_equal(pg_scratch_number(pg, "select count(*) from packages"), 1);

	assert_status(f, call(f, "GET", "/functions/hello", ""), 200);
	assert_int_equal(answer_number(f, "version"), 1);
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
}

static void check_syntax(int fd)
{
	check_as(fd, IPC_CHECK, load_with_syntax_error);
	expect_release(fd, COUNT_KILL_NOT_DEPLOYED);
	check_as(fd, IPC_CHECK, load_without_handler);
	expect_release(fd, COUNT_KILL_NOT_DEPLOYED);
	fake_poolmgr_expect_close(fd);
}

static void code_that_cannot_work_is_refused_and_nothing_is_stored(void **state)
{
	struct fixture *f = *state;

	SERVE(f, check_syntax);
	assert_status(f, call(f, "POST", "/functions", HELLO), 422);
	assert_string_equal(answer_text(f, "code"), "invalid_function");
	assert_has(f, "\"errors\":[{\"field\":\"code\",\"code\":\"does_not_compile\"");
	assert_has(f, "\"line\":7");
	assert_status(f, call(f, "POST", "/functions", HELLO), 422);
	assert_has(f, "\"errors\":[{\"field\":\"handler\",\"code\":\"handler_not_found\"");
	assert_int_equal(pg_scratch_number(pg, "select count(*) from functions"), 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from packages"), 0);
}

static void check_doubtful(int fd)
{
	check_as(fd, IPC_CHECK, load_with_exception);
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
	check_as(fd, IPC_CHECK, hang_while_loading);
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
	assert_true(clock_mono_us() - start_us < 5000000); /* init_timeout_ms, which the fake's grant contains, is 10 s */
	assert_has(f, "\"warnings\":[{\"code\":\"function_timeout\",\"message\":\"The code was still loading after 100 ms");
	assert_has(f, "waits up to 10000 ms (init_timeout_ms)");
	lease_client_free(&f->worker.poolmgr);
	assert_int_equal(fake_poolmgr_wait(&f->poolmgr), 0);
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
	assert_string_equal(answer_text(f, "code"), "runtime_unavailable");
	assert_string_equal(answer_text(f, "detail"), "connect to '…': refused");
	assert_has(f, "Retry-After: 7\r\n");
	assert_int_equal(pg_scratch_number(pg, "select count(*) from functions"), 0);
}

static void vanish_before_the_publication(int fd)
{
	struct ipc_msg m;

	check_as(fd, IPC_CHECK, load_well);
	fake_poolmgr_expect(fd, IPC_INVALIDATE, &m);
}

static void a_change_that_is_stored_succeeds_without_poolmgr(void **state)
{
	struct fixture *f = *state;

	SERVE(f, vanish_before_the_publication);
	assert_status(f, call(f, "POST", "/functions", HELLO), 201);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from functions"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, control_rig_set_up, control_rig_tear_down)
		TEST(a_function_is_tried_stored_published_and_its_sandbox_kept),
		TEST(code_that_cannot_work_is_refused_and_nothing_is_stored),
		TEST(what_may_depend_on_the_moment_is_a_warning),
		TEST(a_trial_ends_after_its_own_time_whatever_the_function_may_take),
		TEST(without_a_sandbox_nothing_is_deployed),
		TEST(a_change_that_is_stored_succeeds_without_poolmgr),
#undef TEST
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
