/* What Docker has against what poolmgr knows, from the moment poolmgr starts. */
#include "tests/unit/poolmgr/pool_rig.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/node/client.h"
#include "poolmgr/node/counters.h"
#include "poolmgr/node/tree.h"
#include "poolmgr/pool/pool.h"
#include "poolmgr/reconcile.h"
#include "poolmgr/sandbox/sandbox.h"
#include "poolmgr/sandbox/shim.h"
#include "poolmgr/sandbox/stray.h"
#include "tests/support/fake_shim.h"
#include "tests/unit/poolmgr/fake_warden.h"

#define HELD  "aaaaaaaaaaaaaaaa"
#define STRAY "bbbbbbbbbbbbbbbb"
#define LATE  "cccccccccccccccc"

static void tick(int64_t now_us)
{
	pool_tick(now_us);
	reconcile_tick(now_us);
}

/* As an earlier poolmgr left it. */
static void leave_behind(const char *id)
{
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes/%s", rig.dir, id);

	assert_int_equal(mkdir(path, 0755), 0);
	fake_docker_add(rig.engine, "unit", id, "running");
}

static bool is_there(const char *id)
{
	return fake_docker_find(rig.engine, id) != NULL && rig_exists("sandboxes/%s", id);
}

static bool is_gone(const char *id)
{
	return fake_docker_find(rig.engine, id) == NULL && !rig_exists("sandboxes/%s", id);
}

/* Compares now, and waits until that is done. */
static void compare(void)
{
	rig_barrier();
	reconcile_now();
	rig_barrier(); /* it has the list */
	rig_barrier(); /* and has asked for what follows from it */
}

/* What was counted since the test began: only that. */
static uint64_t before[COUNTER_COUNT];

static void assert_drift(enum counter what, uint64_t times)
{
	for (unsigned i = 0; i < COUNTER_COUNT; i++) {
		if (strcmp(counter_rows[i].family, "drift") == 0 && counters[i] - before[i] != (i == what ? times : 0))
			fail_msg("%s counted %d times", counter_rows[i].label, (int)(counters[i] - before[i]));
	}
}

/* First: it is the only one that has the time after the start. */
static void what_no_worker_names_goes_soon_after_the_start_and_what_one_holds_stays(void **state)
{
	AUTO(worker_close) struct worker holder = worker_connect();
	AUTO(worker_close) struct worker late = worker_connect();

	(void)state;
	leave_behind(HELD);
	leave_behind(STRAY);
	leave_behind(LATE);
	AUTO(mem_free) char *only_directory = mem_printf("%s/sandboxes/dddddddddddddddd", rig.dir);
	assert_int_equal(mkdir(only_directory, 0755), 0);
	fake_docker_add(rig.engine, "other", "eeeeeeeeeeeeeeee", "running");
	uint64_t given_back = counters[COUNT_KILL_INHERITED];

	int64_t start_us = clock_mono_us();
	reconcile_init(rig.conf, rig.docker);
	worker_hello(&holder, HELD);
	compare(); /* at once: workers had no time to say what they hold */
	if (clock_mono_us() - start_us < 1000000) {
		assert_true(is_there(HELD));
		assert_true(is_there(STRAY));
	}
	worker_hello(&late, LATE);
	WAIT_FOR(is_gone(STRAY) && !rig_exists("sandboxes/dddddddddddddddd"));
	assert_true(clock_mono_us() - start_us >= 1000000);
	compare();
	assert_true(is_there(HELD));
	assert_true(is_there(LATE));
	assert_non_null(fake_docker_find(rig.engine, "eeeeeeeeeeeeeeee")); /* another installation's */

	worker_release(&holder, 42, false); /* the lease had another number's meaning in another poolmgr */
	WAIT_FOR(is_gone(HELD));
	worker_close(&late);
	WAIT_FOR(is_gone(LATE) && stray_count() == 0);
	assert_int_equal(counters[COUNT_KILL_INHERITED] - given_back, 2);
	worker_assert_silent(&holder);
	fake_docker_forget(rig.engine, "eeeeeeeeeeeeeeee");
}

static void a_container_nobody_knows_is_removed_whatever_state_it_is_in(void **state)
{
	static const char *const states[] = {"created", "running", "paused", "restarting", "removing", "exited", "dead"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		AUTO(mem_free) char *path = mem_printf("%s/sandboxes/" STRAY, rig.dir);
		assert_int_equal(mkdir(path, 0755), 0);
		fake_docker_add(rig.engine, "unit", STRAY, states[i]);
		compare();
		WAIT_FOR(is_gone(STRAY) && stray_count() == 0);
		assert_drift(COUNT_DRIFT_CONTAINER, i + 1);
	}
}

static void a_directory_nobody_knows_is_removed_and_counted_as_such(void **state)
{
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes/" STRAY, rig.dir);

	(void)state;
	assert_int_equal(mkdir(path, 0755), 0);
	compare();
	WAIT_FOR(is_gone(STRAY) && stray_count() == 0);
	assert_drift(COUNT_DRIFT_DIRECTORY, 1);
}

/* A listing is old when it arrives: what was removed meanwhile by ourselves is in it. */
static void what_is_gone_when_its_removal_begins_is_no_drift(void **state)
{
	(void)state;
	fake_docker_add(rig.engine, "unit", STRAY, "running");
	rig_barrier();
	rig.engine->manner[FAKE_LIST].hold = true;
	reconcile_now();
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_LIST) == 1);
	fake_docker_forget(rig.engine, STRAY);
	rig.engine->manner[FAKE_LIST].hold = false;
	fake_docker_let_go(rig.engine, FAKE_LIST);
	rig_barrier();
	WAIT_FOR(stray_count() == 0);
	assert_drift(COUNTER_COUNT, 0);
}

static void it_compares_every_so_often(void **state)
{
	(void)state;
	compare();
	rig.conf->pool_reconcile_interval_ms = 100;
	rig.engine->calls[FAKE_LIST] = 0;
	WAIT_FOR(rig.engine->calls[FAKE_LIST] >= 2);
}

static void a_sandbox_whose_directory_is_gone_is_dead(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("bare");
	char id[SANDBOX_ID_SIZE];
	struct err err;

	(void)state;
	struct grant g = check_function(&w, &f);
	memcpy(id, g.sandbox_id, sizeof(id));
	worker_release(&w, g.lease_id, false);
	WAIT_FOR(sandbox_counts[SANDBOX_IDLE] == 1);
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes", rig.dir);
	AUTO(fd_close) int dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(tree_remove(dir_fd, id, &err));
	compare();
	WAIT_FOR(sandbox_find(id) == NULL);
	assert_drift(COUNT_DRIFT_UNLINKED, 1);
}

static void what_another_poolmgr_has_is_left_alone_until_it_is_gone(void **state)
{
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes", rig.dir);
	AUTO(fd_close) int sandboxes = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	(void)state;
	int others = tree_make_owned(sandboxes, STRAY, &err);
	assert_ok(others);
	fake_docker_add(rig.engine, "unit", STRAY, "running");
	compare();
	assert_int_equal(stray_count(), 0);
	assert_true(is_there(STRAY));
	fd_close(&others); /* it died */
	compare();
	WAIT_FOR(is_gone(STRAY));
}

static void another_poolmgr_leaves_ours_alone_until_they_are_gone(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("ours");
	AUTO(mem_free) char *path = mem_printf("%s/sandboxes", rig.dir);
	AUTO(fd_close) int sandboxes = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	struct grant g = check_function(&w, &f);
	assert_true(tree_is_owned(sandboxes, g.sandbox_id));
	rig.engine->manner[FAKE_REMOVE].hold = true;
	worker_release(&w, g.lease_id, true);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_REMOVE) == 1);
	assert_true(tree_is_owned(sandboxes, g.sandbox_id));
	rig.engine->manner[FAKE_REMOVE].hold = false;
	fake_docker_let_go(rig.engine, FAKE_REMOVE);
	WAIT_FOR(is_gone(g.sandbox_id));
}

static void a_container_whose_removal_fails_is_tried_again_at_the_next_comparison(void **state)
{
	(void)state;
	leave_behind(STRAY);
	rig.engine->manner[FAKE_REMOVE] = (struct fake_manner){.status = 500, .body = "{}"};
	compare();
	WAIT_FOR(rig.engine->calls[FAKE_REMOVE] == 1);
	rig_barrier();
	assert_true(is_there(STRAY));
	rig.engine->manner[FAKE_REMOVE] = (struct fake_manner){0};
	compare();
	WAIT_FOR(is_gone(STRAY));
}

static void a_label_that_is_no_sandbox_id_is_left_alone(void **state)
{
	static const char *const ids[] = {"", "..", "not-a-sandbox", "AAAAAAAAAAAAAAAA"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		fake_docker_add(rig.engine, "unit", ids[i], "running");
	compare();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		fake_docker_forget(rig.engine, ids[i]);
}

static void sandboxes_of_ours_stay_in_every_state(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("stays");
	AUTO(function_free) struct function idle = function_new("idle");

	(void)state;
	check_function(&w, &f);
	worker_release(&w, check_function(&w, &idle).lease_id, false);
	rig.conf->pool_min_spares = 1;
	WAIT_FOR(sandbox_counts[SANDBOX_SPARE] == 2);
	rig.conf->pool_min_spares = 2;
	rig.engine->boot = FAKE_BOOT_SILENT;
	WAIT_FOR(sandbox_counts[SANDBOX_BOOTING] == 2);
	rig.engine->calls[FAKE_REMOVE] = 0;
	compare();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
	assert_int_equal(sandbox_total(), 6);
	assert_int_equal(sandbox_counts[SANDBOX_DYING], 0);
	assert_drift(COUNTER_COUNT, 0);
}

static void a_sandbox_whose_container_is_missing_is_dead(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("missing");

	(void)state;
	struct grant leased = check_function(&w, &f);
	rig.conf->pool_min_spares = 1;
	WAIT_FOR(sandbox_counts[SANDBOX_SPARE] == 2); /* of two languages */
	rig.conf->pool_min_spares = 0;
	rig.tick = NULL;
	default_shape()->spares->booted_us -= 3600000000;
	char spare[SANDBOX_ID_SIZE];
	memcpy(spare, default_shape()->spares->id, sizeof(spare));
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){.status = 200, .body = "[]"};
	rig_barrier();
	reconcile_now();
	WAIT_FOR(sandbox_find(spare) == NULL);
	assert_true(sandbox_find(leased.sandbox_id)->dead); /* its worker finds out by itself */
	assert_int_equal(sandbox_find(leased.sandbox_id)->state, SANDBOX_LEASED);
	reconcile_now();
	rig_barrier();
	rig_barrier();
	assert_drift(COUNT_DRIFT_LOST, 3); /* each once */
}

static void a_container_that_ended_unheard_is_found(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("unheard");

	(void)state;
	struct grant g = check_function(&w, &f);
	worker_release(&w, g.lease_id, false);
	WAIT_FOR(sandbox_counts[SANDBOX_IDLE] == 1);
	AUTO(mem_free) char *list = mem_printf("[{\"Labels\":{\"berth.sandbox\":\"%s\"},\"State\":\"exited\"}]", g.sandbox_id);
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){.status = 200, .body = list};
	rig_barrier();
	reconcile_now();
	WAIT_FOR(sandbox_find(g.sandbox_id) == NULL);
	assert_drift(COUNT_DRIFT_STOPPED, 1);
}

/* The agent says hello before Docker has noted that its container runs. */
static void a_sandbox_that_docker_has_not_done_starting_is_not_taken_for_stopped(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("early");

	(void)state;
	rig.engine->manner[FAKE_START].hold = true;
	struct grant g = check_function(&w, &f);
	AUTO(mem_free) char *list = mem_printf("[{\"Labels\":{\"berth.sandbox\":\"%s\"},\"State\":\"created\"}]", g.sandbox_id);
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){.status = 200, .body = list};
	int64_t later_us = clock_mono_us();
	WAIT_FOR(clock_mono_us() > later_us);
	reconcile_now();
	WAIT_FOR(rig.engine->calls[FAKE_LIST] > 0);
	for (int i = 0; i < 5; i++)
		rig_turn();
	assert_false(sandbox_find(g.sandbox_id)->dead);
	assert_drift(COUNTER_COUNT, 0);
	rig.engine->manner[FAKE_START].hold = false;
	fake_docker_let_go(rig.engine, FAKE_START);
	WAIT_FOR(sandbox_find(g.sandbox_id)->started_us != 0);
	rig_turn();
	reconcile_now();
	WAIT_FOR(sandbox_find(g.sandbox_id)->dead);
	assert_drift(COUNT_DRIFT_STOPPED, 1);
}

static void a_sandbox_that_came_up_after_the_list_was_asked_for_is_not_missed_in_it(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("meanwhile");

	(void)state;
	rig_barrier();
	rig.engine->manner[FAKE_LIST].hold = true;
	reconcile_now(); /* answered as of now: without the sandbox that follows */
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_LIST) == 1);
	struct grant g = check_function(&w, &f);
	rig.engine->manner[FAKE_LIST].hold = false;
	fake_docker_let_go(rig.engine, FAKE_LIST);
	rig_barrier();
	assert_int_equal(sandbox_find(g.sandbox_id)->state, SANDBOX_LEASED);
	assert_false(sandbox_find(g.sandbox_id)->dead);
}

static void a_list_that_is_an_error_changes_nothing_and_the_next_one_counts(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("error");

	(void)state;
	struct grant g = check_function(&w, &f);
	rig_barrier();
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){.status = 500, .body = "[]"};
	reconcile_now();
	WAIT_FOR(rig.engine->calls[FAKE_LIST] > 0);
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){0};
	rig_barrier();
	assert_false(sandbox_find(g.sandbox_id)->dead);
	leave_behind(STRAY);
	compare();
	WAIT_FOR(is_gone(STRAY));
}

static void the_engine_coming_back_makes_it_compare(void **state)
{
	(void)state;
	fake_docker_stop(rig.engine);
	WAIT_FOR(!docker_is_up(rig.docker));
	leave_behind(STRAY);
	fake_docker_start(rig.engine);
	WAIT_FOR(is_gone(STRAY));
}

/* A container that Docker does not know: this test's own, for shims are looked for on the whole machine. */
static char unknown[65];

/* What the warden is asked to end. There may be shims of others on this machine. */
static bool is_asked_to_end(const char *container, pid_t pid)
{
	bool is_asked = false;

	while (fake_warden_is_asked()) {
		struct ipc_msg m = fake_warden_next(IPC_SHIM_END);
		AUTO(mem_free) char *directory = mem_printf("%s/sandboxes", rig.dir);
		assert_int_equal(m.shim_end.directory.len, strlen(directory));
		assert_memory_equal(m.shim_end.directory.data, directory, strlen(directory));
		is_asked = is_asked || (m.shim_end.pid == (uint32_t)pid && m.shim_end.container.len == strlen(container) &&
					memcmp(m.shim_end.container.data, container, strlen(container)) == 0);
	}
	return is_asked;
}

/* As often as it takes to find, suspect and end; each with a search after it that is over when a thread has done the next
 * thing. */
static void compare_for_shims(void)
{
	compare();
	threads_settle();
	rig_turn();
}

static void a_shim_that_docker_has_not_known_for_a_while_is_given_to_the_warden(void **state)
{
	(void)state;
	fake_warden_start();
	pid_t pid = fake_shim_start(rig.dir, unknown);
	compare_for_shims(); /* found */
	compare_for_shims(); /* suspected */
	int64_t suspect_us = clock_mono_us();
	assert_false(is_asked_to_end(unknown, pid));
	compare_for_shims(); /* it may be about to end */
	assert_false(is_asked_to_end(unknown, pid));
	WAIT_FOR(clock_mono_us() >= suspect_us + SHIM_SUSPICION_US);
	compare_for_shims();
	assert_true(is_asked_to_end(unknown, pid));
	compare_for_shims(); /* the warden may have been dying */
	assert_true(is_asked_to_end(unknown, pid));
	assert_drift(COUNTER_COUNT, 0);
	fake_shim_end(pid);
	fake_warden_say_ended(unknown);
	WAIT_FOR(counters[COUNT_DRIFT_SHIM] > before[COUNT_DRIFT_SHIM]);
	assert_drift(COUNT_DRIFT_SHIM, 1);
	compare_for_shims();
	is_asked_to_end(unknown, pid); /* of what was found before it ended */
	compare_for_shims();
	assert_false(is_asked_to_end(unknown, pid));
}

static void a_shim_that_docker_knows_stays_and_one_it_was_slow_to_list_is_cleared(void **state)
{
	(void)state;
	fake_warden_start();
	leave_behind(HELD);
	AUTO(worker_close) struct worker holder = worker_connect();
	worker_hello(&holder, HELD);
	AUTO(mem_free) char *container = mem_strdup(fake_docker_find(rig.engine, HELD)->id);
	rig.tick = NULL; /* it compares when the test says so */
	pid_t known = fake_shim_start(rig.dir, container), suspect = fake_shim_start(rig.dir, unknown);
	compare_for_shims();
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){.status = 200, .body = "[]"};
	compare_for_shims(); /* both are missing */
	int64_t suspect_us = clock_mono_us();
	WAIT_FOR(clock_mono_us() >= suspect_us + SHIM_SUSPICION_US);
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){0};
	compare_for_shims(); /* and one of them again */
	assert_false(is_asked_to_end(container, known));
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){.status = 200, .body = "[]"};
	compare_for_shims(); /* missing for the first time since */
	assert_false(is_asked_to_end(container, known));
	rig.engine->manner[FAKE_LIST] = (struct fake_manner){0};
	fake_shim_end(known);
	fake_shim_end(suspect);
	rig.tick = tick;
	worker_release(&holder, 42, false);
	WAIT_FOR(is_gone(HELD));
}

static void a_new_suspect_is_looked_at_again_soon(void **state)
{
	(void)state;
	fake_warden_start();
	rig.conf->pool_reconcile_interval_ms = 3600000;
	pid_t pid = fake_shim_start(rig.dir, unknown);
	compare_for_shims();
	compare_for_shims();
	WAIT_FOR(is_asked_to_end(unknown, pid));
	fake_shim_end(pid);
}

static int set_up(void **state)
{
	snprintf(unknown, sizeof(unknown), "%064x", (unsigned)getpid());
	return pool_rig_set_up(state);
}

static int each(void **state)
{
	int rc = pool_rig_each(state);

	rig.tick = tick;
	memcpy(before, counters, sizeof(before));
	return rc;
}

static int nothing_leaks(void **state)
{
	fake_warden_stop();
	return pool_rig_nothing_leaks(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, nothing_leaks)
	const struct CMUnitTest tests[] = {
		TEST(what_no_worker_names_goes_soon_after_the_start_and_what_one_holds_stays),
		TEST(a_container_nobody_knows_is_removed_whatever_state_it_is_in),
		TEST(a_shim_that_docker_has_not_known_for_a_while_is_given_to_the_warden),
		TEST(a_shim_that_docker_knows_stays_and_one_it_was_slow_to_list_is_cleared),
		TEST(a_new_suspect_is_looked_at_again_soon),
		TEST(a_directory_nobody_knows_is_removed_and_counted_as_such),
		TEST(what_is_gone_when_its_removal_begins_is_no_drift),
		TEST(it_compares_every_so_often),
		TEST(a_sandbox_whose_directory_is_gone_is_dead),
		TEST(what_another_poolmgr_has_is_left_alone_until_it_is_gone),
		TEST(another_poolmgr_leaves_ours_alone_until_they_are_gone),
		TEST(a_container_whose_removal_fails_is_tried_again_at_the_next_comparison),
		TEST(a_label_that_is_no_sandbox_id_is_left_alone),
		TEST(sandboxes_of_ours_stay_in_every_state),
		TEST(a_sandbox_whose_container_is_missing_is_dead),
		TEST(a_container_that_ended_unheard_is_found),
		TEST(a_sandbox_that_docker_has_not_done_starting_is_not_taken_for_stopped),
		TEST(a_sandbox_that_came_up_after_the_list_was_asked_for_is_not_missed_in_it),
		TEST(a_list_that_is_an_error_changes_nothing_and_the_next_one_counts),
		TEST(the_engine_coming_back_makes_it_compare),
	};

	return cmocka_run_group_tests(tests, set_up, pool_rig_tear_down);
}
