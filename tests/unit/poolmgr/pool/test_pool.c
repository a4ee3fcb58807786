/* The pool with everything it works with: workers over real connections, PostgreSQL, packages on disk, a fake Docker Engine. */
#include "tests/unit/poolmgr/stored.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/pool/pool.h"
#include "poolmgr/sandbox/postmortem.h"
#include "tests/unit/poolmgr/fake_warden.h"
#include "tests/unit/poolmgr/slow_store.h"

/* ---- From CHECK to a warm lease ---- */

static void a_check_gets_a_prewarmed_sandbox_with_its_files_and_a_live_connection(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("prewarmed");
	char text[16] = "";

	(void)state;
	rig.conf->pool_min_spares = 1;
	wait_for_spares(1);
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, worker_check(&w, function_spec(&f), &f.archive));
	assert_int_equal(g.kind, IPC_START_PREWARMED);
	assert_int_equal(g.version, 1);
	assert_int_equal(g.timeout_ms, 3000);
	assert_int_equal(g.memory_limit_mb, 128);
	assert_code_is(&g, "prewarmed");

	json_t *init = json_loads(g.init, 0, NULL);
	json_t *wanted = json_pack("{s:s, s:{s:s}, s:{s:s, s:s, s:i, s:s, s:s, s:s}, s:{s:i, s:i, s:I}, s:b, s:b}", "handler",
				   "main.handler", "environment", "GREETING", "hello", "function", "id", f.id, "name", f.name,
				   "version", 1, "region", "us-east-1", "account_id", "000000000000", "sandbox_id",
				   g.sandbox_id, "limits", "memory_limit_mb", 128, "timeout_ms", 3000, "response_bytes",
				   (json_int_t)5000000, "log_levels", 1, "late_marks", 1);
	assert_true(json_equal(init, wanted));
	json_decref(init);
	json_decref(wanted);

	struct fake_container *c = fake_docker_find(rig.engine, g.sandbox_id);
	assert_int_equal(write(g.control_fd, "to agent", 8), 8);
	assert_int_equal(read(c->control_fd, text, sizeof(text)), 8);
	assert_int_equal(write(c->log_fd, "printed", 7), 7);
	assert_int_equal(read(g.log_fd, text, sizeof(text)), 7);
	worker_release(&w, g.lease_id, true);
	WAIT_FOR(is_gone(&g));
}

static void a_grant_has_the_limits_of_the_version_and_says_that_its_sandbox_is_kept(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("limits");

	(void)state;
	f.pids = 77;
	deploy(&f);
	struct grant g = worker_take(&w, f.name);
	assert_string_equal(g.function_id, f.id);
	assert_int_equal(g.version, 1);
	assert_int_equal(g.timeout_ms, 3000);
	assert_int_equal(g.init_timeout_ms, 4000);
	assert_int_equal(g.memory_limit_mb, 128);
	assert_int_equal(g.response_bytes, 5000000);
	assert_int_equal(g.log_bytes, 200000);
	assert_string_equal(g.runtime, "docker");
	assert_false(g.single_use);
	json_t *host = json_object_get(fake_docker_find(rig.engine, g.sandbox_id)->body, "HostConfig");
	assert_int_equal(json_integer_value(json_object_get(host, "PidsLimit")), 77);
}

static void a_grant_says_how_long_it_was_waited_for_and_what_the_installation_allows(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("waited for");
	int64_t allowed_bytes = rig.conf->limits_response_bytes;

	(void)state;
	f.pids = 91; /* no spare is ready for it */
	deploy(&f);
	rig.engine->manner[FAKE_CREATE].hold = true;
	rig.conf->limits_response_bytes = 4000000; /* less than the function's own */
	uint64_t seq = worker_lease(&w, f.name, 0);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) > 0);
	for (int64_t start_us = clock_mono_us(); clock_mono_us() - start_us < 50000;)
		rig_turn();
	rig.engine->manner[FAKE_CREATE].hold = false;
	fake_docker_let_go(rig.engine, FAKE_CREATE);
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, seq);
	rig.conf->limits_response_bytes = allowed_bytes;
	assert_in_range(g.queued_us, 50000, 20000000);
	assert_int_equal(g.response_bytes, 4000000);
}

static void a_grant_has_the_files_that_measure_its_sandbox(void **state)
{
	AUTO(fake_cgroup_free) struct fake_cgroup c = fake_cgroup_new();
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("measured");

	(void)state;
	cgroup_deinit();
	fake_warden_start();
	uint64_t seq = worker_lease(&w, f.name, 0);
	fake_warden_serve(1, &c);
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, seq);
	assert_true(fake_cgroup_is_same(g.cpu_fd, c.fds[CGROUP_CPU]));
	assert_true(fake_cgroup_is_same(g.memory_fd, c.fds[CGROUP_MEMORY]));
	assert_true(fake_cgroup_is_same(g.oom_fd, c.fds[CGROUP_OOM]));
	assert_false(fake_cgroup_is_same(g.control_fd, g.log_fd));
}

static void where_nothing_is_measured_the_files_of_a_grant_are_dev_null(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("not measured");
	AUTO(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, worker_lease(&w, f.name, 0));
	const int fds[] = {g.cpu_fd, g.memory_fd, g.oom_fd};
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		assert_true(fake_cgroup_is_same(fds[i], null));
		assert_int_equal(fcntl(fds[i], F_GETFL) & O_ACCMODE, O_RDWR);
	}
}

static void a_checked_sandbox_serves_the_first_invocation_once_its_version_is_stored(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("candidate");

	(void)state;
	struct grant checked = check_function(&w, &f);
	assert_int_equal(checked.kind, IPC_START_COLD);
	deploy(&f);
	worker_done(&w, worker_invalidate(&w, f.id, 1));
	worker_release(&w, checked.lease_id, false);
	struct grant leased = worker_take(&w, f.name);
	assert_string_equal(leased.sandbox_id, checked.sandbox_id);
	assert_int_equal(leased.kind, IPC_START_WARM);
	assert_string_equal(leased.init, "");
	assert_int_not_equal(leased.lease_id, checked.lease_id);
}

/* The package belongs to a stored version that this node does not know at first, and then knows. */
static void a_candidate_whose_package_is_stored_is_tried_without_an_archive(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("stored");

	(void)state;
	for (f.version = 2; f.version < 4; f.version++) {
		struct grant g = worker_granted(&w, worker_check_stored(&w, function_spec(&f)));
		assert_code_is(&g, "stored");
		worker_close_fds(&g);
		worker_release(&w, g.lease_id, false);
	}
	f.version = 1;
}

static void a_candidate_whose_package_is_said_to_be_stored_and_is_not_is_refused(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("never stored");

	(void)state;
	struct denial d = worker_denied(&w, worker_check_stored(&w, function_spec(&f)));
	assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_non_null(strstr(d.detail, "is not stored"));
}

static void a_second_lease_is_warm_by_name_and_by_id(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("warm");

	(void)state;
	struct grant first = worker_take(&w, f.name);
	assert_int_equal(first.kind, IPC_START_COLD);
	assert_string_not_equal(first.init, "");
	assert_code_is(&first, "warm");
	worker_release(&w, first.lease_id, false);
	struct grant second = worker_take(&w, f.id);
	assert_int_equal(second.kind, IPC_START_WARM);
	assert_string_equal(second.sandbox_id, first.sandbox_id);
	assert_string_equal(second.init, "");
}

static void candidates_of_the_same_version_never_share_a_sandbox(void **state)
{
	AUTO(worker_close) struct worker one = worker_connect();
	AUTO(worker_close) struct worker two = worker_connect();
	AUTO(function_free) struct function mine = function_new("mine");
	AUTO(function_free) struct function theirs = function_new("theirs");

	(void)state;
	memcpy(theirs.id, mine.id, sizeof(mine.id));
	memcpy(theirs.name, mine.name, sizeof(mine.name));
	struct grant a = check_function(&one, &mine), b = check_function(&two, &theirs);
	assert_string_not_equal(a.sandbox_id, b.sandbox_id);
	assert_code_is(&a, "mine");
	assert_code_is(&b, "theirs");
	worker_release(&one, a.lease_id, false);
	worker_release(&two, b.lease_id, false);
	WAIT_FOR(state_of(&a) == SANDBOX_IDLE && state_of(&b) == SANDBOX_IDLE);

	struct grant c = check_function(&one, &mine); /* not even the same code gets what another check left */
	assert_string_not_equal(c.sandbox_id, a.sandbox_id);

	deploy(&theirs); /* only this one was stored */
	struct grant leased = worker_take(&one, mine.name);
	assert_string_equal(leased.sandbox_id, b.sandbox_id);
}

static void a_check_that_cannot_be_is_denied_in_words(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("good");
	AUTO(function_free) struct function other = function_new("other archive");
	AUTO(fd_close) int empty = memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	AUTO(fd_close) int unsealed = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int64_t later_us = clock_mono_us() + RIG_TIMEOUT_US;
	int ends[2];

	(void)state;
	assert_int_equal(fcntl(empty, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE), 0);
	assert_int_equal(write(unsealed, f.archive.data, f.archive.len), f.archive.len);
	assert_int_equal(fcntl(unsealed, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	struct denial d = worker_denied(&w, worker_check_fd(&w, "{", empty, later_us));
	assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_non_null(strstr(d.detail, "no JSON"));
	d = worker_denied(&w, worker_check_fd(&w, "{}", empty, later_us));
	assert_non_null(strstr(d.detail, "without 'function_id'"));

	AUTO(mem_free) char *spec = NULL;
	json_t *json = function_spec(&f);
	spec = json_dumps(json, 0);
	json_decref(json);
	d = worker_denied(&w, worker_check_fd(&w, spec, empty, later_us));
	assert_non_null(strstr(d.detail, "a package of 0 bytes"));
	d = worker_denied(&w, worker_check_fd(&w, spec, unsealed, later_us));
	assert_non_null(strstr(d.detail, "in no sealed memory file"));
	assert_int_equal(pipe(ends), 0);
	d = worker_denied(&w, worker_check_fd(&w, spec, ends[0], later_us));
	assert_non_null(strstr(d.detail, "package"));
	close(ends[0]);
	close(ends[1]);
	d = worker_denied(&w, worker_check(&w, function_spec(&f), &other.archive));
	assert_non_null(strstr(d.detail, "its SHA-256 is"));

	f.language = "cobol";
	d = worker_denied(&w, worker_check(&w, function_spec(&f), &f.archive));
	assert_non_null(strstr(d.detail, "there is no language 'cobol'"));
	f.language = "alpha";
	rig.conf->limits_package_bytes = 10;
	d = worker_denied(&w, worker_check(&w, function_spec(&f), &f.archive));
	assert_non_null(strstr(d.detail, "a package of"));
}

static void what_is_not_there_is_not_found(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("there");

	(void)state;
	struct denial d = worker_denied(&w, worker_lease(&w, "no-such-function", 0));
	assert_int_equal(d.code, PROBLEM_NOT_FOUND);
	assert_string_equal(d.detail, "There is no function 'no-such-function'");
	d = worker_denied(&w, worker_lease(&w, "no-such-function", 2));
	assert_string_equal(d.detail, "There is no function 'no-such-function'");
	d = worker_denied(&w, worker_lease(&w, f.name, 2));
	assert_int_equal(d.code, PROBLEM_NOT_FOUND);
	AUTO(mem_free) char *wanted = mem_printf("'%s' has no version 2; the current one is 1", f.name);
	assert_string_equal(d.detail, wanted);
	assert_int_equal(worker_denied(&w, worker_lease(&w, "00000000-0000-7000-8000-000000000000", 0)).code,
			 PROBLEM_NOT_FOUND);
	drop(&f);
	assert_int_equal(worker_denied(&w, worker_lease(&w, f.name, 0)).code, PROBLEM_NOT_FOUND);
}

/* ---- Giving back ---- */

static void a_sandbox_released_to_be_destroyed_is_removed_and_not_used_again(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("destroy");

	(void)state;
	struct grant first = worker_take(&w, f.name);
	worker_release(&w, first.lease_id, true);
	struct grant second = worker_take(&w, f.name);
	assert_string_not_equal(second.sandbox_id, first.sandbox_id);
	WAIT_FOR(is_gone(&first));
	assert_null(fake_docker_find(rig.engine, first.sandbox_id));
}

static void a_sandbox_that_ended_while_it_was_leased_is_not_used_again(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("ended");

	(void)state;
	struct grant g = worker_take(&w, f.name);
	fake_docker_die(rig.engine, g.sandbox_id, true);
	WAIT_FOR(sandbox_find(g.sandbox_id)->dead);
	worker_assert_silent(&w);
	worker_release(&w, g.lease_id, false);
	WAIT_FOR(is_gone(&g));
}

static void a_worker_that_goes_takes_its_sandboxes_along_and_who_waits_gets_new_ones(void **state)
{
	AUTO(worker_close) struct worker one = worker_connect();
	AUTO(worker_close) struct worker two = worker_connect();
	AUTO(function_free) struct function f = function_new("worker goes");

	(void)state;
	f.max_concurrency = 1;
	deploy(&f);
	rig.conf->pool_min_spares = 1;
	wait_for_spares(1);
	struct grant first = worker_take(&one, f.name);
	wait_for_spares(1);
	uint64_t seq = worker_lease(&two, f.name, 0);
	worker_assert_silent(&two);
	worker_close(&one);
	AUTO(worker_close_fds) struct grant second = worker_granted(&two, seq);
	assert_string_not_equal(second.sandbox_id, first.sandbox_id);
	WAIT_FOR(is_gone(&first));
}

static void a_worker_that_goes_while_it_waits_is_forgotten(void **state)
{
	AUTO(worker_close) struct worker one = worker_connect();
	AUTO(worker_close) struct worker two = worker_connect();
	AUTO(function_free) struct function f = function_new("waiter goes");

	(void)state;
	f.max_concurrency = 1;
	deploy(&f);
	struct grant g = worker_take(&one, f.name);
	worker_lease(&two, f.name, 0);
	worker_assert_silent(&two);
	worker_lease(&two, "unknown", 0); /* and while it is looked up */
	worker_close(&two);
	WAIT_FOR(pool_waiting() == 0);
	worker_release(&one, g.lease_id, false);
	WAIT_FOR(state_of(&g) == SANDBOX_IDLE);
}

static void nobody_can_give_back_what_another_worker_has(void **state)
{
	AUTO(worker_close) struct worker one = worker_connect();
	AUTO(worker_close) struct worker two = worker_connect();
	AUTO(function_free) struct function f = deployed("not yours");

	(void)state;
	struct grant g = worker_take(&one, f.name);
	worker_release(&two, g.lease_id, true);
	worker_release(&two, 12345, true);
	worker_assert_silent(&two);
	assert_int_equal(state_of(&g), SANDBOX_LEASED);
	worker_release(&one, g.lease_id, false);
	worker_release(&one, g.lease_id, true); /* once is enough */
	worker_assert_silent(&one);
	assert_int_equal(state_of(&g), SANDBOX_IDLE);
}

/* ---- A sandbox for each invocation ---- */

static void a_sandbox_of_its_own_is_destroyed_after_one_invocation(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("single use");

	(void)state;
	f.isolation = "per_invocation";
	deploy(&f);
	struct grant first = worker_take(&w, f.name);
	assert_true(first.single_use);
	worker_release_after(&w, first.lease_id, 1, 1000);
	WAIT_FOR(is_gone(&first));
	struct grant second = worker_take(&w, f.name);
	assert_string_not_equal(second.sandbox_id, first.sandbox_id);
	assert_string_not_equal(second.init, "");
}

static void a_sandbox_of_its_own_that_has_not_been_used_is_kept(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("single use, not used");

	(void)state;
	f.isolation = "per_invocation";
	struct grant checked = check_function(&w, &f);
	assert_true(checked.single_use);
	worker_release_after(&w, checked.lease_id, 0, 0); /* its code was only loaded */
	WAIT_FOR(state_of(&checked) == SANDBOX_IDLE);
	deploy(&f);
	struct grant g = worker_take(&w, f.name);
	assert_string_equal(g.sandbox_id, checked.sandbox_id);
	assert_int_equal(g.kind, IPC_START_WARM);
	worker_release_after(&w, g.lease_id, 1, 1000);
	WAIT_FOR(is_gone(&g));
}

static void each_that_waits_gets_a_sandbox_of_its_own_within_the_concurrency(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("single use for each");
	uint64_t seq[5];
	struct grant g[ARRAY_SIZE(seq)];

	(void)state;
	f.isolation = "per_invocation";
	f.max_concurrency = 3;
	deploy(&f);
	worker_release_after(&w, worker_take(&w, f.name).lease_id, 1, 1); /* known as very fast */
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++)
		seq[i] = worker_lease(&w, f.name, 0);
	for (size_t i = 0; i < 3; i++) { /* nobody has given back any */
		g[i] = worker_granted(&w, seq[i]);
		worker_close_fds(&g[i]);
	}
	rig_barrier();
	worker_assert_silent(&w);
	assert_int_equal(sandbox_counts[SANDBOX_LEASED], 3);
	for (size_t i = 3; i < ARRAY_SIZE(seq); i++) {
		worker_release_after(&w, g[i - 3].lease_id, 1, 1);
		g[i] = worker_granted(&w, seq[i]);
		worker_close_fds(&g[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(g[i].sandbox_id, g[j].sandbox_id);
}

/* ---- While files are being linked ---- */

/* A lease whose sandbox is ASSIGNED, and stays so until threads_go_on(). */
static struct sandbox *lease_with_threads_stopped(struct worker *w, const char *function, uint64_t *seq)
{
	worker_release(w, worker_take(w, function).lease_id, true); /* known and unpacked */
	WAIT_FOR(sandbox_total() == 0);
	threads_stop();
	*seq = worker_lease(w, function, 0);
	WAIT_FOR(sandbox_lists[SANDBOX_ASSIGNED] != NULL);
	return sandbox_lists[SANDBOX_ASSIGNED];
}

static void a_sandbox_that_ends_while_its_files_are_linked_costs_no_request(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("ends while linked");
	char id[SANDBOX_ID_SIZE];
	uint64_t seq;

	(void)state;
	struct sandbox *s = lease_with_threads_stopped(&w, f.name, &seq);
	memcpy(id, s->id, sizeof(id));
	int dir_fd = s->dir_fd;
	rig.engine->calls[FAKE_REMOVE] = 0;
	fake_container_hang_up(fake_docker_find(rig.engine, id));
	WAIT_FOR(s->state == SANDBOX_DYING);
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0); /* the thread is still to use its directory */
	assert_int_equal(s->dir_fd, dir_fd);
	threads_go_on();
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, seq);
	assert_string_not_equal(g.sandbox_id, id);
	assert_code_is(&g, "ends while linked");
	WAIT_FOR(sandbox_find(id) == NULL);
}

static void a_sandbox_whose_version_went_out_of_date_while_its_files_were_linked_is_not_kept(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("out of date");
	char id[SANDBOX_ID_SIZE];
	uint64_t seq;

	(void)state;
	memcpy(id, lease_with_threads_stopped(&w, f.name, &seq)->id, sizeof(id));
	drop(&f);
	worker_done(&w, worker_invalidate(&w, f.id, 0));
	assert_int_equal(worker_denied(&w, seq).code, PROBLEM_NOT_FOUND);
	threads_go_on();
	WAIT_FOR(sandbox_find(id) == NULL);
}

static void a_sandbox_nobody_waits_for_any_more_once_its_files_are_linked_serves_the_next(void **state)
{
	AUTO(worker_close) struct worker one = worker_connect();
	AUTO(worker_close) struct worker two = worker_connect();
	AUTO(function_free) struct function f = deployed("nobody waits");
	char id[SANDBOX_ID_SIZE];
	uint64_t seq;

	(void)state;
	memcpy(id, lease_with_threads_stopped(&one, f.name, &seq)->id, sizeof(id));
	worker_close(&one);
	WAIT_FOR(pool_waiting() == 0);
	threads_go_on();
	WAIT_FOR(sandbox_counts[SANDBOX_IDLE] == 1);
	AUTO(worker_close_fds) struct grant g = worker_granted(&two, worker_lease(&two, f.name, 0));
	assert_string_equal(g.sandbox_id, id);
	assert_int_equal(g.kind, IPC_START_PREWARMED); /* it was never initialised */
	assert_string_not_equal(g.init, "");
}

/* Large packages are unpacked, others are removed, and the disk is slow. */
static void no_start_and_no_trial_waits_for_what_takes_long(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("starts meanwhile");
	AUTO(function_free) struct function tried = function_new("is tried meanwhile");

	(void)state;
	threads_stop_of(WORK_UNPACK_LARGE, WORK_CHORE);
	rig.conf->pool_max_sandboxes = 1; /* so that there is room only once a directory is removed */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(worker_take(&w, f.name).kind, IPC_START_COLD);
		worker_close(&w);
		w = worker_connect();
	}
	check_function(&w, &tried);
	threads_go_on();
}

/* ---- Questions how a sandbox ended ---- */

/* A worker that gives back as good what it has just asked about is mistaken, but the next one does not suffer. */
static void what_one_worker_asked_is_not_answered_to_the_next(void **state)
{
	AUTO(worker_close) struct worker next = worker_connect();
	AUTO(function_free) struct function f = deployed("asked about");

	(void)state;
	for (int docker_was_asked = 0; docker_was_asked < 2; docker_was_asked++) {
		AUTO(worker_close) struct worker w = worker_connect();
		struct grant g = worker_take(&w, f.name);
		struct sandbox *s = sandbox_find(g.sandbox_id);
		rig.tick = NULL;
		rig.engine->manner[FAKE_INSPECT].hold = true;
		worker_postmortem(&w, g.lease_id);
		WAIT_FOR(s->postmortem_us != 0);
		if (docker_was_asked) {
			postmortem_tick(s->postmortem_us);
			WAIT_FOR(fake_docker_held(rig.engine, FAKE_INSPECT) == 1);
		}
		worker_release(&w, g.lease_id, false);
		WAIT_FOR(s->state == SANDBOX_IDLE);
		struct grant again = worker_take(&next, f.name);
		assert_string_equal(again.sandbox_id, g.sandbox_id);
		rig.engine->manner[FAKE_INSPECT].hold = false;
		fake_docker_let_go(rig.engine, FAKE_INSPECT);
		postmortem_tick(INT64_MAX);
		WAIT_FOR(s->holds == 0);
		rig_barrier();
		worker_assert_silent(&next);
		worker_assert_silent(&w);
		worker_release(&next, again.lease_id, false);
		WAIT_FOR(s->state == SANDBOX_IDLE);
		rig.tick = pool_tick;
	}
}

/* ---- The end ---- */

/* Last: there is no way back. */
static void stopping_tells_who_waits_and_removes_everything_but_what_is_leased(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(worker_close) struct worker holder = worker_connect();
	AUTO(function_free) struct function leased = function_new("leased");
	AUTO(function_free) struct function revoked = function_new("revoked");
	AUTO(function_free) struct function idle = function_new("idle");
	AUTO(function_free) struct function waiting = function_new("waiting");

	(void)state;
	struct grant g = check_function(&holder, &leased), r = check_function(&holder, &revoked);
	worker_release(&w, check_function(&w, &idle).lease_id, false);
	WAIT_FOR(sandbox_counts[SANDBOX_IDLE] == 1);
	rig.conf->pool_min_spares = 1;
	WAIT_FOR(sandbox_counts[SANDBOX_SPARE] == 2);
	rig.conf->pool_min_spares = 0;
	rig.engine->boot = FAKE_BOOT_SILENT;
	waiting.memory_limit_mb = 256;
	PGconn *lock = slow_store_lock(rig.conf->database_conninfo);
	uint64_t looked_up = worker_lease(&w, "any", 0);
	uint64_t seq = worker_check(&w, function_spec(&waiting), &waiting.archive);
	WAIT_FOR(sandbox_counts[SANDBOX_BOOTING] == 1);
	worker_assert_silent(&w);

	pool_stop();
	worker_assert_silent(&holder);
	assert_int_equal(holder.recalls, 2);
	assert_int_equal(worker_denied(&w, looked_up).code, PROBLEM_DRAINING);
	assert_int_equal(worker_denied(&w, seq).code, PROBLEM_DRAINING);
	PQfinish(lock);
	WAIT_FOR(sandbox_total() == 2);
	assert_int_equal(fake_docker_count(rig.engine), 2);
	assert_int_equal(sandbox_counts[SANDBOX_LEASED], 2);

	assert_int_equal(worker_denied(&w, worker_lease(&w, "any", 0)).code, PROBLEM_DRAINING);
	assert_int_equal(worker_denied(&w, worker_check(&w, function_spec(&idle), &idle.archive)).code, PROBLEM_DRAINING);
	worker_release(&holder, g.lease_id, false);
	WAIT_FOR(sandbox_find(g.sandbox_id) == NULL);
	assert_int_equal(sandbox_find(r.sandbox_id)->state, SANDBOX_LEASED);
	pool_revoke();
	WAIT_FOR(sandbox_total() == 0);
	rig.conf->pool_min_spares = 2; /* nothing starts any more */
	rig_barrier();
	assert_int_equal(sandbox_total(), 0);
	assert_int_equal(fake_docker_count(rig.engine), 0);
	assert_int_equal(rig_count_names("sandboxes"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORED_TEST(a_check_gets_a_prewarmed_sandbox_with_its_files_and_a_live_connection),
		STORED_TEST(a_grant_has_the_limits_of_the_version_and_says_that_its_sandbox_is_kept),
		STORED_TEST(a_grant_says_how_long_it_was_waited_for_and_what_the_installation_allows),
		STORED_TEST(a_grant_has_the_files_that_measure_its_sandbox),
		STORED_TEST(where_nothing_is_measured_the_files_of_a_grant_are_dev_null),
		STORED_TEST(a_checked_sandbox_serves_the_first_invocation_once_its_version_is_stored),
		STORED_TEST(a_candidate_whose_package_is_stored_is_tried_without_an_archive),
		STORED_TEST(a_candidate_whose_package_is_said_to_be_stored_and_is_not_is_refused),
		STORED_TEST(a_second_lease_is_warm_by_name_and_by_id),
		STORED_TEST(candidates_of_the_same_version_never_share_a_sandbox),
		STORED_TEST(a_check_that_cannot_be_is_denied_in_words),
		STORED_TEST(what_is_not_there_is_not_found),
		STORED_TEST(a_sandbox_released_to_be_destroyed_is_removed_and_not_used_again),
		STORED_TEST(a_sandbox_that_ended_while_it_was_leased_is_not_used_again),
		STORED_TEST(a_worker_that_goes_takes_its_sandboxes_along_and_who_waits_gets_new_ones),
		STORED_TEST(a_worker_that_goes_while_it_waits_is_forgotten),
		STORED_TEST(nobody_can_give_back_what_another_worker_has),
		STORED_TEST(a_sandbox_of_its_own_is_destroyed_after_one_invocation),
		STORED_TEST(a_sandbox_of_its_own_that_has_not_been_used_is_kept),
		STORED_TEST(each_that_waits_gets_a_sandbox_of_its_own_within_the_concurrency),
		STORED_TEST(no_start_and_no_trial_waits_for_what_takes_long),
		STORED_TEST(what_one_worker_asked_is_not_answered_to_the_next),
		STORED_TEST(a_sandbox_that_ends_while_its_files_are_linked_costs_no_request),
		STORED_TEST(a_sandbox_whose_version_went_out_of_date_while_its_files_were_linked_is_not_kept),
		STORED_TEST(a_sandbox_nobody_waits_for_any_more_once_its_files_are_linked_serves_the_next),
		STORED_TEST(stopping_tells_who_waits_and_removes_everything_but_what_is_leased),
	};

	return cmocka_run_group_tests(tests, stored_set_up, stored_tear_down);
}
