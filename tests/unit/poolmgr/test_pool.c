/* The pool with everything it works with: workers over real connections, PostgreSQL, packages on disk, a fake Docker Engine. */
#include "tests/unit/poolmgr/pool_rig.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <utlist.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/autopsy.h"
#include "poolmgr/headroom.h"
#include "poolmgr/package.h"
#include "poolmgr/pool.h"
#include "poolmgr/resolve.h"
#include "poolmgr/store.h"
#include "tests/unit/poolmgr/fake_warden.h"
#include "tests/unit/poolmgr/slow_store.h"
#include "tests/unit/poolmgr/stored.h"

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
	json_t *wanted = json_pack("{s:s, s:{s:s}, s:{s:s, s:s, s:i}, s:{s:i, s:i, s:I}}", "handler", "main.handler",
				   "environment", "GREETING", "hello", "function", "id", f.id, "name", f.name, "version", 1,
				   "limits", "memory_limit_mb", 128, "timeout_ms", 3000, "response_bytes", (json_int_t)5000000);
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
	AUTO(fd_close) int empty = memfd_create("empty", MFD_CLOEXEC);
	int64_t later_us = clock_mono_us() + RIG_PATIENCE_US;
	int ends[2];

	(void)state;
	struct denial d = worker_denied(&w, worker_check_fd(&w, "{", empty, later_us));
	assert_string_equal(d.code, "runtime_unavailable");
	assert_non_null(strstr(d.detail, "no JSON"));
	d = worker_denied(&w, worker_check_fd(&w, "{}", empty, later_us));
	assert_non_null(strstr(d.detail, "without 'function_id'"));

	AUTO(mem_free) char *spec = NULL;
	json_t *json = function_spec(&f);
	spec = json_dumps(json, 0);
	json_decref(json);
	d = worker_denied(&w, worker_check_fd(&w, spec, empty, later_us));
	assert_non_null(strstr(d.detail, "a package of 0 bytes"));
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
	assert_string_equal(worker_denied(&w, worker_lease(&w, "no-such-function", 0)).code, "not_found");
	assert_string_equal(worker_denied(&w, worker_lease(&w, f.name, 2)).code, "not_found");
	assert_string_equal(worker_denied(&w, worker_lease(&w, "00000000-0000-7000-8000-000000000000", 0)).code, "not_found");
	drop(&f);
	assert_string_equal(worker_denied(&w, worker_lease(&w, f.name, 0)).code, "not_found");
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

/* ---- Queues ---- */

static void who_waits_is_served_in_turn(void **state)
{
	struct worker w[4];
	uint64_t seq[ARRAY_SIZE(w)];
	AUTO(function_free) struct function f = function_new("fifo");

	(void)state;
	f.max_concurrency = 1;
	deploy(&f);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		w[i] = worker_connect();
	struct grant g = worker_take(&w[0], f.name);
	for (size_t i = 1; i < ARRAY_SIZE(w); i++) {
		seq[i] = worker_lease(&w[i], f.name, 0);
		worker_assert_silent(&w[i]);
	}
	for (size_t i = 1; i < ARRAY_SIZE(w); i++) {
		worker_release(&w[i - 1], g.lease_id, false);
		struct grant next = worker_granted(&w[i], seq[i]);
		worker_close_fds(&next);
		assert_string_equal(next.sandbox_id, g.sandbox_id);
		for (size_t j = i + 1; j < ARRAY_SIZE(w); j++)
			assert_false(worker_has_message(&w[j]));
		g = next;
	}
	assert_int_equal(fake_docker_count(rig.engine), 1);
	for (size_t i = 0; i < ARRAY_SIZE(w); i++)
		worker_close(&w[i]);
}

static void a_full_queue_is_told_at_once(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("full");

	(void)state;
	f.max_concurrency = 1;
	deploy(&f);
	rig.conf->pool_queue_length = 2;
	struct grant g = worker_take(&w, f.name);
	worker_lease(&w, f.name, 0);
	worker_lease(&w, f.name, 0);
	struct denial d = worker_denied(&w, worker_lease(&w, f.name, 0));
	assert_string_equal(d.code, "throttled");
	assert_string_equal(d.reason, "queue_full");
	assert_true(d.retry_after_ms > 0);
	assert_int_equal(d.version, 1);
	assert_int_equal(state_of(&g), SANDBOX_LEASED);
}

static void never_more_sandboxes_than_a_function_may_have(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("exact");
	uint64_t seq[6];
	struct grant g[ARRAY_SIZE(seq)];

	(void)state;
	f.max_concurrency = 2;
	deploy(&f);
	rig.conf->pool_min_spares = 3;
	wait_for_spares(3);
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++)
		seq[i] = worker_lease(&w, f.name, 0);
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++) {
		if (i >= 2)
			worker_release(&w, g[i - 2].lease_id, false);
		g[i] = worker_granted(&w, seq[i]);
		worker_close_fds(&g[i]);
		if (i >= 1) {
			wait_for_spares(3);
			rig_barrier();
			assert_int_equal(sandbox_counts[SANDBOX_LEASED], 2);
			worker_assert_silent(&w);
		}
	}
	assert_string_equal(g[2].sandbox_id, g[0].sandbox_id);
	assert_string_equal(g[3].sandbox_id, g[1].sandbox_id);
}

/* How many versions could use a spare of the default shape at once. */
static int ready_and_hungry(void)
{
	const struct version *v;
	int n = 0;

	DL_FOREACH2 (default_shape()->hungry, v, hungry_next)
		n += v->package == PACKAGE_READY && v->waiting == 3;
	return n;
}

static void two_functions_get_the_spares_of_their_shape_in_turn(void **state)
{
	AUTO(worker_close) struct worker a = worker_connect();
	AUTO(worker_close) struct worker b = worker_connect();
	AUTO(function_free) struct function fa = deployed("turn a");
	AUTO(function_free) struct function fb = deployed("turn b");
	int got_a = 0, got_b = 0;

	(void)state;
	rig.conf->pool_max_starts = 1;
	rig.engine->manner[FAKE_START].hold = true; /* the agent is up all the same: one more each time it is asked for */
	rig.engine->boot = FAKE_BOOT_SILENT;
	for (int i = 0; i < 3; i++) {
		worker_lease(&a, fa.name, 0);
		worker_assert_silent(&a);
	}
	for (int i = 0; i < 3; i++) {
		worker_lease(&b, fb.name, 0);
		worker_assert_silent(&b);
	}
	WAIT_FOR(ready_and_hungry() == 2);
	for (int round = 1; round <= 3; round++) {
		for (int i = 0; i < 2; i++) {
			WAIT_FOR(sandbox_lists[SANDBOX_BOOTING] != NULL && sandbox_lists[SANDBOX_BOOTING]->log_fd >= 0);
			struct sandbox *s = sandbox_lists[SANDBOX_BOOTING];
			assert_null(s->next);
			assert_true(fake_container_say(fake_docker_find(rig.engine, s->id), FAKE_HELLO, FAKE_HELLO_LEN));
			WAIT_FOR(s->state == SANDBOX_LEASED);
			got_a += strcmp(s->version->spec->name, fa.name) == 0;
			got_b += strcmp(s->version->spec->name, fb.name) == 0;
		}
		assert_int_equal(got_a, round);
		assert_int_equal(got_b, round);
	}
	fake_docker_let_go(rig.engine, FAKE_START);
}

static void one_that_waits_too_long_for_a_busy_sandbox_gets_another(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("busy");

	(void)state;
	for (int i = 0; i < 3; i++) /* its leases are known to be short */
		warm_up(&w, f.name);
	struct grant g = worker_take(&w, f.name);
	AUTO(worker_close_fds) struct grant other = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_string_not_equal(other.sandbox_id, g.sandbox_id);
}

/* The time of a start is set so short or so long that it decides. */
static void on_a_busy_node_spares_are_made_good_seldom_and_one_by_one(void **state)
{
	AUTO(mem_free) char *path = mem_printf("%s/stat", rig.dir);
	struct shape *shape = default_shape();

	(void)state;
	rig.conf->pool_min_spares = 1;
	WAIT_FOR(sandbox_counts[SANDBOX_SPARE] == 2); /* of each language */
	unit_write_file(path, "cpu 200 0 0 0 0 0 0 0\n");
	headroom_init(path);
	headroom_tick(1);
	unit_write_file(path, "cpu 300 0 0 0 0 0 0 0\n");
	WAIT_FOR(!headroom_is_there());
	rig.conf->pool_min_spares = 3;
	for (int i = 0; i < 50; i++)
		rig_turn();
	pool_tick(clock_mono_us());
	assert_int_equal(sandbox_total(), 2); /* there is one of each */
	shape->start_us = 3600000000;
	sandbox_kill(shape->spares, COUNT_EVICT_SURPLUS);
	WAIT_FOR(sandbox_total() == 1);
	pool_tick(clock_mono_us());
	assert_int_equal(sandbox_total(), 1); /* it is not time for another one yet */
	shape->start_us = 0;
	WAIT_FOR(shape->spare_count == 1);
	assert_int_equal(sandbox_total(), 2);
	headroom_init("/nonexistent");
	WAIT_FOR(sandbox_counts[SANDBOX_SPARE] == 6);
}

/* On a busy machine a start takes long, and makes it busier. */
static void a_container_is_started_for_who_has_waited_as_long_as_that_takes(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("patient");

	(void)state;
	for (int i = 0; i < 3; i++)
		warm_up(&w, f.name);
	struct grant g = worker_take(&w, f.name);
	rig.conf->pool_min_spares = 0; /* with a spare it would not wait */
	while (default_shape()->spares != NULL)
		rig_turn();
	default_shape()->start_us = 600000;
	int starts = rig.engine->calls[FAKE_CREATE];
	int64_t asked_us = clock_mono_us();
	uint64_t seq = worker_lease(&w, f.name, 0);
	WAIT_FOR(rig.engine->calls[FAKE_CREATE] > starts);
	assert_true(clock_mono_us() - asked_us >= 600000);
	AUTO(worker_close_fds) struct grant other = worker_granted(&w, seq);
	assert_string_not_equal(other.sandbox_id, g.sandbox_id);
}

/* ---- What workers keep ---- */

/* The worker was asked to give back this lease, and only this one, since it was last looked at. */
static void assert_recalled(struct worker *w, const struct grant *g)
{
	worker_assert_silent(w);
	assert_int_equal(w->recalls, 1);
	assert_int_equal(w->recalled[0], g->lease_id);
	w->recalls = 0;
}

static void assert_not_recalled(struct worker *w)
{
	worker_assert_silent(w);
	assert_int_equal(w->recalls, 0);
}

static void who_waits_makes_poolmgr_ask_for_every_sandbox_of_the_version_once(void **state)
{
	AUTO(worker_close) struct worker one = worker_connect();
	AUTO(worker_close) struct worker two = worker_connect();
	AUTO(worker_close) struct worker other = worker_connect();
	AUTO(worker_close) struct worker waiting = worker_connect();
	AUTO(function_free) struct function f = function_new("recalled");
	AUTO(function_free) struct function g = deployed("not recalled");

	(void)state;
	f.max_concurrency = 2;
	deploy(&f);
	struct grant a = worker_take(&one, f.name);
	uint64_t seq = worker_lease(&two, f.name, 0);
	assert_recalled(&one, &a); /* perhaps it is free sooner than another one is started */
	struct grant b = worker_granted(&two, seq);
	worker_close_fds(&b);
	worker_take(&other, g.name);
	uint64_t first = worker_lease(&waiting, f.name, 0);
	worker_assert_silent(&waiting);
	uint64_t second = worker_lease(&waiting, f.name, 0);
	worker_assert_silent(&waiting);
	assert_recalled(&two, &b);
	assert_not_recalled(&one); /* it was asked before */
	assert_not_recalled(&other);

	worker_release(&one, a.lease_id, false);
	struct grant c = worker_granted(&waiting, first);
	worker_close_fds(&c);
	assert_string_equal(c.sandbox_id, a.sandbox_id);
	assert_recalled(&waiting, &c); /* a lease of its own, and there is one more that waits */
	worker_release(&two, b.lease_id, false);
	AUTO(worker_close_fds) struct grant d = worker_granted(&waiting, second);
	assert_string_equal(d.sandbox_id, b.sandbox_id);
	assert_not_recalled(&waiting);
}

static void before_done_the_sandboxes_of_older_versions_are_asked_for(void **state)
{
	AUTO(worker_close) struct worker one = worker_connect();
	AUTO(worker_close) struct worker two = worker_connect();
	AUTO(worker_close) struct worker other = worker_connect();
	AUTO(function_free) struct function f = deployed("older");
	AUTO(function_free) struct function g = deployed("of another function");

	(void)state;
	struct grant a = worker_take(&one, f.name), b = worker_granted(&two, worker_lease(&two, f.name, 0));
	worker_close_fds(&b);
	assert_recalled(&one, &a);
	worker_take(&other, g.name);
	worker_done(&two, worker_invalidate(&two, f.id, 1)); /* which they are not older than */
	assert_int_equal(two.recalls, 0);
	worker_done(&two, worker_invalidate(&two, f.id, 2));
	assert_int_equal(two.recalls, 1);
	assert_int_equal(two.recalled[0], b.lease_id);
	worker_done(&other, worker_invalidate(&other, g.id, 2));
	assert_int_equal(other.recalls, 1);
	other.recalls = 0;
	worker_release(&one, a.lease_id, false);
	WAIT_FOR(is_gone(&a));
	assert_not_recalled(&one);
}

static void before_done_another_worker_has_been_asked_as_well(void **state)
{
	AUTO(worker_close) struct worker holder = worker_connect();
	AUTO(worker_close) struct worker deployer = worker_connect();
	AUTO(function_free) struct function f = deployed("another worker");

	(void)state;
	struct grant g = worker_take(&holder, f.name);
	uint64_t seq = worker_invalidate(&deployer, f.id, 2);
	WAIT_FOR(worker_has_message(&deployer));
	assert_true(worker_has_message(&holder));
	worker_done(&deployer, seq);
	assert_recalled(&holder, &g);
}

static uint32_t usual_after(struct worker *w, const char *function, uint32_t runs, uint64_t busy_us)
{
	worker_release_after(w, worker_take(w, function).lease_id, runs, busy_us);
	struct grant g = worker_take(w, function);
	worker_release_after(w, g.lease_id, 0, 0);
	return g.usual_us;
}

static void how_long_an_invocation_takes_is_learnt_and_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("usual");

	(void)state;
	struct grant g = worker_take(&w, f.name);
	assert_int_equal(g.usual_us, 0);
	worker_release_after(&w, g.lease_id, 0, 0); /* kept without an invocation: nothing to learn from */
	assert_int_equal(usual_after(&w, f.name, 0, 0), 0);
	assert_int_equal(usual_after(&w, f.name, 1, 50000), 50000);
	assert_int_equal(usual_after(&w, f.name, 1, 10000), 30000); /* faster: half the way */
	assert_int_equal(usual_after(&w, f.name, 2, 92000), 31000); /* slower: a sixteenth */
	assert_int_equal(usual_after(&w, f.name, 16, 16 * 51000), 41000);
	assert_int_equal(usual_after(&w, f.name, 16, 0), 20500);
	assert_true(usual_after(&w, f.name, 1, UINT64_MAX) > 0); /* whatever a worker says */
}

static void the_try_of_a_version_teaches_nothing(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("try");

	(void)state;
	struct grant g = check_function(&w, &f);
	worker_release_after(&w, g.lease_id, 1, 9000000);
	deploy(&f);
	g = worker_take(&w, f.name);
	assert_int_equal(g.kind, IPC_START_WARM);
	assert_int_equal(g.usual_us, 0);
}

/* Workers that take the sandboxes of one function from each other, each time at once. */
struct rivals {
	struct worker w[4];
	struct grant held[4]; /* oldest first: w[first], w[first + 1] … */
	int first, holding;
	const char *function;
};

/* A fast function, known as such, that one of them holds; spares are ready, and no collision is forgotten. */
static struct rivals rivals_start(const struct function *f)
{
	struct rivals r = {.function = f->name, .holding = 1};

	rig.conf->pool_min_spares = 4;
	for (size_t i = 0; i < ARRAY_SIZE(r.w); i++)
		r.w[i] = worker_connect();
	warm_up(&r.w[0], f->name);
	wait_for_spares(4);
	rig.tick = NULL;
	r.held[0] = worker_take(&r.w[0], f->name);
	return r;
}

static void rivals_end(struct rivals *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->w); i++)
		worker_close(&r->w[i]);
}

/* One more asks. The oldest holder gives back, unless nobody may wait. */
static void rivals_collide(struct rivals *r, bool gets_another)
{
	int last = (r->first + r->holding) % (int)ARRAY_SIZE(r->w);
	uint64_t seq = worker_lease(&r->w[last], r->function, 0);

	r->w[last].recalls = 0;
	worker_assert_silent(&r->w[r->first]);
	r->w[r->first].recalls = 0;
	if (gets_another) {
		r->holding++;
	} else {
		worker_release(&r->w[r->first], r->held[r->first].lease_id, false);
		r->first = (r->first + 1) % (int)ARRAY_SIZE(r->w);
	}
	r->held[last] = worker_granted(&r->w[last], seq);
	worker_close_fds(&r->held[last]);
	assert_int_equal(sandbox_counts[SANDBOX_LEASED] + sandbox_counts[SANDBOX_ASSIGNED], r->holding);
}

static void workers_that_collide_again_and_again_get_a_sandbox_each_up_to_their_turns(void **state)
{
	AUTO(function_free) struct function f = deployed("collide");

	(void)state;
	rig.conf->invoke_turns = 3;
	AUTO(rivals_end) struct rivals r = rivals_start(&f);
	for (int more = 0; more < 2; more++) {
		for (int i = 0; i < 7; i++)
			rivals_collide(&r, false);
		rivals_collide(&r, true);
	}
	for (int i = 0; i < 20; i++) /* three have one each: no more */
		rivals_collide(&r, false);
	assert_int_equal(r.holding, 3);
}

static void workers_that_collide_get_no_more_than_the_function_may_have(void **state)
{
	AUTO(function_free) struct function f = function_new("collide within its concurrency");

	(void)state;
	f.max_concurrency = 2;
	deploy(&f);
	rig.conf->invoke_turns = 4;
	AUTO(rivals_end) struct rivals r = rivals_start(&f);
	for (int i = 0; i < 7; i++)
		rivals_collide(&r, false);
	rivals_collide(&r, true);
	for (int i = 0; i < 20; i++)
		rivals_collide(&r, false);
}

static void a_collision_now_and_then_is_worth_no_sandbox(void **state)
{
	AUTO(function_free) struct function f = deployed("collide now and then");

	(void)state;
	rig.conf->invoke_turns = 4;
	AUTO(rivals_end) struct rivals r = rivals_start(&f);
	for (int i = 1; i <= 20; i++) {
		rivals_collide(&r, false);
		if (i % 4 == 0)
			pool_tick(clock_mono_us());
	}
}

/* ---- Deadlines ---- */

static struct denial denied_late(struct worker *w, const char *function)
{
	return worker_denied(w, worker_lease_until(w, function, 0, clock_mono_us() + 30000));
}

static void a_deadline_that_passes_for_want_of_concurrency_says_so(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("late");

	(void)state;
	f.max_concurrency = 1;
	deploy(&f);
	worker_take(&w, f.name);
	struct denial d = denied_late(&w, f.name);
	assert_string_equal(d.code, "throttled");
	assert_string_equal(d.reason, "function_concurrency");
}

static void a_deadline_that_passes_while_a_sandbox_starts_says_overloaded(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("slow start");

	(void)state;
	warm_up(&w, f.name); /* it is known and unpacked */
	sandbox_kill(sandbox_lists[SANDBOX_IDLE], COUNT_KILL_OTHER);
	rig.engine->boot = FAKE_BOOT_SILENT;
	struct denial d = denied_late(&w, f.name);
	assert_string_equal(d.code, "overloaded");
	assert_true(d.retry_after_ms > 0);
}

static void a_deadline_that_passes_after_a_failed_start_says_why_it_failed(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("failed start");

	(void)state;
	warm_up(&w, f.name);
	sandbox_kill(sandbox_lists[SANDBOX_IDLE], COUNT_KILL_OTHER);
	rig.engine->boot = FAKE_BOOT_HANGS_UP;
	int64_t deadline_us = clock_mono_us() + RIG_PATIENCE_US;
	uint64_t seq = worker_lease_until(&w, f.name, 0, deadline_us);
	WAIT_FOR(default_shape()->failures == 1);
	default_shape()->retry_us = deadline_us; /* there is no second one */
	pool_tick(deadline_us);
	struct denial d = worker_denied(&w, seq);
	assert_string_equal(d.code, "runtime_unavailable");
	assert_non_null(strstr(d.detail, "the agent ended before it said hello"));
}

static void a_deadline_that_passes_before_postgresql_answers_is_kept(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("locked");

	(void)state;
	PGconn *lock = slow_store_lock(rig.conf->database_conninfo);
	int64_t start_us = clock_mono_us();
	struct denial d = denied_late(&w, f.name);
	assert_string_equal(d.code, "store_unavailable");
	assert_true(clock_mono_us() - start_us < rig.conf->database_statement_timeout_ms * 1000);
	PQfinish(lock);
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_int_equal(g.version, 1);
}

static void a_deadline_in_the_past_is_denied_unless_a_sandbox_is_free(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("past");

	(void)state;
	f.max_concurrency = 1;
	deploy(&f);
	worker_take(&w, f.name);
	assert_string_equal(worker_denied(&w, worker_lease_until(&w, f.name, 0, 0)).code, "overloaded");
}

/* ---- How many sandboxes ---- */

static void spares_are_kept_ready_and_made_good(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("spares");

	(void)state;
	rig.conf->pool_min_spares = 2;
	wait_for_spares(2);
	assert_int_equal(worker_take(&w, f.name).kind, IPC_START_PREWARMED);
	wait_for_spares(2);
	rig.conf->pool_min_spares = 1;
	wait_for_spares(1);
	fake_docker_die(rig.engine, default_shape()->spares->id, true);
	WAIT_FOR(default_shape()->spare_count == 0);
	wait_for_spares(1);
}

static const struct shape *shape_of(int64_t memory_mb)
{
	const struct shape *s;

	DL_FOREACH (shapes, s)
		if (s->key.memory_mb == memory_mb)
			return s;
	return NULL;
}

static void a_shape_of_its_own_has_spares_as_long_as_it_is_used(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("shape");

	(void)state;
	f.memory_limit_mb = 777;
	rig.conf->pool_min_spares = 1;
	struct grant g = check_function(&w, &f);
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(fake_docker_find(rig.engine, g.sandbox_id)->body, "HostConfig"), "Memory")),
			 777 << 20);
	WAIT_FOR(shape_of(777)->spare_count == 1);
	worker_release(&w, g.lease_id, true);
	WAIT_FOR(is_gone(&g));
	rig_barrier();
	assert_int_equal(shape_of(777)->spare_count, 1);
	rig.conf->pool_idle_timeout_ms = 1;
	WAIT_FOR(shape_of(777) == NULL);
	wait_for_spares(1); /* the default shape has them all the same */
}

static void an_idle_sandbox_goes_after_its_time_and_not_before(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("idle");

	(void)state;
	struct grant g = warm_up(&w, f.name);
	int64_t since_us = sandbox_find(g.sandbox_id)->since_us;
	pool_tick(since_us + rig.conf->pool_idle_timeout_ms * 1000 - 1);
	assert_int_equal(state_of(&g), SANDBOX_IDLE);
	pool_tick(since_us + rig.conf->pool_idle_timeout_ms * 1000);
	assert_int_equal(state_of(&g), SANDBOX_DYING);
}

static void a_full_node_makes_room_by_what_has_been_idle_longest(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function fa = deployed("room a");
	AUTO(function_free) struct function fb = deployed("room b");
	AUTO(function_free) struct function fc = deployed("room c");

	(void)state;
	rig.conf->pool_max_sandboxes = 2;
	struct grant a = warm_up(&w, fa.name), b = warm_up(&w, fb.name);
	assert_string_equal(warm_up(&w, fa.name).sandbox_id, a.sandbox_id); /* so b is the longest idle one */
	struct grant c = worker_take(&w, fc.name);
	assert_int_equal(state_of(&c), SANDBOX_LEASED);
	assert_int_equal(state_of(&a), SANDBOX_IDLE);
	assert_true(is_gone(&b));
	assert_int_equal(sandbox_total(), 2);
}

static void a_full_node_makes_room_by_spares_nobody_waits_for(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("room by spares");

	(void)state;
	rig.conf->pool_min_spares = 1;
	WAIT_FOR(sandbox_counts[SANDBOX_SPARE] == 2); /* one per language */
	rig.conf->pool_max_sandboxes = 2;
	f.memory_limit_mb = 333;
	struct grant g = check_function(&w, &f);
	assert_int_equal(state_of(&g), SANDBOX_LEASED);
	assert_int_equal(sandbox_total(), 2);
}

static void a_node_full_of_work_lets_wait_and_serves_what_comes_free(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function fa = deployed("work a");
	AUTO(function_free) struct function fb = deployed("work b");

	(void)state;
	rig.conf->pool_max_sandboxes = 1;
	struct grant a = worker_take(&w, fa.name);
	uint64_t seq = worker_lease(&w, fb.name, 0);
	worker_assert_silent(&w);
	rig_barrier();
	assert_int_equal(sandbox_total(), 1);
	worker_release(&w, a.lease_id, false);
	AUTO(worker_close_fds) struct grant b = worker_granted(&w, seq);
	assert_true(is_gone(&a));
}

static void no_more_sandboxes_start_at_once_than_set(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("starts");
	uint64_t seq[6];

	(void)state;
	rig.conf->pool_max_starts = 2;
	rig.engine->manner[FAKE_CREATE].hold = true;
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++)
		seq[i] = worker_lease(&w, f.name, 0);
	for (int left = ARRAY_SIZE(seq); left > 0; left -= 2) {
		WAIT_FOR(fake_docker_held(rig.engine, FAKE_CREATE) == 2);
		assert_int_equal(sandbox_counts[SANDBOX_CREATING] + sandbox_counts[SANDBOX_BOOTING], 2);
		fake_docker_let_go(rig.engine, FAKE_CREATE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(seq); i++) {
		struct grant g = worker_granted(&w, seq[i]);
		worker_close_fds(&g);
	}
	assert_int_equal(rig.engine->calls[FAKE_CREATE], 6); /* as many as waited, and no more */
}

/* ---- Docker ---- */

static void without_an_engine_warm_functions_go_on_and_others_are_told_at_once(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function warm = deployed("warm without engine");
	AUTO(function_free) struct function cold = deployed("cold without engine");
	AUTO(function_free) struct function waiting = deployed("waits when the engine goes");

	(void)state;
	struct grant g = warm_up(&w, warm.name);
	rig.engine->boot = FAKE_BOOT_SILENT;
	uint64_t seq = worker_lease(&w, waiting.name, 0);
	WAIT_FOR(sandbox_counts[SANDBOX_BOOTING] == 1);
	fake_docker_stop(rig.engine);
	struct denial d = worker_denied(&w, seq);
	assert_string_equal(d.code, "runtime_unavailable");
	assert_non_null(strstr(d.detail, "Docker Engine does not answer"));
	assert_true(d.retry_after_ms > 0);

	d = worker_denied(&w, worker_lease(&w, cold.name, 0));
	assert_string_equal(d.code, "runtime_unavailable");
	assert_non_null(strstr(d.detail, rig.conf->docker_socket));
	struct grant again = worker_take(&w, warm.name);
	assert_string_equal(again.sandbox_id, g.sandbox_id);
	worker_release(&w, again.lease_id, true);

	rig.engine->boot = FAKE_BOOT_GOOD;
	fake_docker_start(rig.engine);
	WAIT_FOR(docker_is_up(rig.docker));
	worker_take(&w, cold.name);
	WAIT_FOR(is_gone(&g));
}

static void starts_that_fail_are_told_in_dockers_words_and_tried_again_after_a_pause(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("no image");

	(void)state;
	rig.engine->missing_image = "alpha-image";
	struct denial d = worker_denied(&w, worker_lease(&w, f.name, 0));
	assert_string_equal(d.code, "runtime_unavailable");
	assert_non_null(strstr(d.detail, "No such image: alpha-image"));
	assert_int_equal(d.version, 1);
	int calls = rig.engine->calls[FAKE_CREATE];
	assert_true(calls >= 2); /* one may be bad luck */
	struct shape *shape = default_shape();
	shape->retry_us = clock_mono_us() + RIG_PATIENCE_US;
	d = worker_denied(&w, worker_lease(&w, f.name, 0)); /* during the pause: at once */
	assert_non_null(strstr(d.detail, "No such image: alpha-image"));
	assert_true(d.retry_after_ms >= 1000);
	assert_int_equal(rig.engine->calls[FAKE_CREATE], calls);

	rig.engine->missing_image = NULL;
	shape->retry_us = 0;
	warm_up(&w, f.name);
	assert_int_equal(shape->failures, 0);
	assert_string_equal(shape->problem, "");
}

static void one_start_that_fails_costs_no_request(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("bad luck");

	(void)state;
	rig.engine->boot = FAKE_BOOT_HANGS_UP;
	uint64_t seq = worker_lease(&w, f.name, 0);
	WAIT_FOR(default_shape()->failures == 1);
	rig.engine->boot = FAKE_BOOT_GOOD;
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, seq);
	assert_int_equal(g.kind, IPC_START_COLD);
}

static void spares_that_end_right_after_hello_are_started_with_growing_pauses(void **state)
{
	struct shape *shape = default_shape();

	(void)state;
	rig.engine->boot = FAKE_BOOT_SHORT_LIVED;
	rig.conf->pool_min_spares = 1;
	for (int failures = 1; failures <= 4; failures++) {
		WAIT_FOR(shape->failures == failures);
		assert_int_equal(shape->retry_us - shape->failed_us, 100000 << failures);
		shape->retry_us = 0;
	}
	rig.engine->boot = FAKE_BOOT_GOOD;
	WAIT_FOR(shape->spares != NULL && shape->spares->created_us >= shape->failed_us);
	rig.tick = NULL;
	int failures = shape->failures;
	assert_true(failures >= 4);
	pool_tick(shape->spares->booted_us + 999999);
	assert_int_equal(shape->failures, failures); /* it may still end */
	pool_tick(shape->spares->booted_us + 1000000);
	assert_int_equal(shape->failures, 0);
	assert_string_equal(shape->problem, "");
}

static void a_sandbox_that_has_served_ends_the_pauses_and_an_older_one_does_not(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("has served");
	struct shape *shape = default_shape();

	(void)state;
	struct grant older = worker_take(&w, f.name);
	shape_start_failed(shape, "test", clock_mono_us());
	shape->retry_us = 0;
	AUTO(worker_close_fds) struct grant newer = worker_granted(&w, worker_lease(&w, f.name, 0));
	worker_release(&w, older.lease_id, false);
	WAIT_FOR(state_of(&older) == SANDBOX_IDLE);
	assert_int_equal(shape->failures, 1);
	worker_release(&w, newer.lease_id, false);
	WAIT_FOR(state_of(&newer) == SANDBOX_IDLE);
	assert_int_equal(shape->failures, 0);
}

/* ---- What the engine offers ---- */

/* The engine is another one, as far as that goes. NULL: as it was; and the network is not there. */
static void restart_engine(const char *runtimes, const char *network)
{
	fake_docker_stop(rig.engine);
	WAIT_FOR(!docker_is_up(rig.docker));
	fake_docker_reset(rig.engine);
	if (runtimes != NULL)
		rig.engine->runtimes = runtimes;
	rig.engine->network = network;
	fake_docker_start(rig.engine);
	WAIT_FOR(docker_is_up(rig.docker));
	rig_barrier();
}

static const char *host_config_of(const struct grant *g, const char *name)
{
	json_t *body = fake_docker_find(rig.engine, g->sandbox_id)->body;

	return json_string_value(json_object_get(json_object_get(body, "HostConfig"), name));
}

static void a_version_runs_in_the_runtime_it_names(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("in gvisor");
	AUTO(function_free) struct function g = deployed("in docker");

	(void)state;
	f.runtime = "gvisor";
	deploy(&f);
	struct grant a = worker_take(&w, f.name), b = worker_take(&w, g.name);
	assert_string_equal(a.runtime, "gvisor");
	assert_string_equal(host_config_of(&a, "Runtime"), "berth-runsc");
	assert_string_equal(b.runtime, "docker");
	assert_string_equal(host_config_of(&b, "Runtime"), "runc");
}

static void a_version_whose_runtime_is_missing_is_denied_at_once_and_told_what_to_install(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("missing runtime");
	AUTO(function_free) struct function other = deployed("runtime that is there");

	(void)state;
	f.runtime = "gvisor";
	deploy(&f);
	restart_engine("{\"runc\":{}}", NULL);
	rig.conf->pool_min_spares = 1;
	wait_for_spares(1);
	int calls = rig.engine->calls[FAKE_CREATE];
	for (int i = 0; i < 2; i++) {
		struct denial d = worker_denied(&w, worker_lease(&w, f.name, 0));
		assert_string_equal(d.code, "runtime_unavailable");
		assert_string_equal(d.detail, driver_find("gvisor")->missing);
		assert_int_equal(d.version, 1);
		assert_true(d.retry_after_ms > 0);
	}
	pool_tick(clock_mono_us()); /* nor spares of a shape that was asked for */
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_CREATE], calls);
	assert_int_equal(worker_take(&w, other.name).kind, IPC_START_PREWARMED);

	restart_engine(NULL, NULL); /* it was installed */
	struct grant g = worker_take(&w, f.name);
	assert_string_equal(host_config_of(&g, "Runtime"), "berth-runsc");
}

static void a_warm_sandbox_goes_on_when_its_runtime_is_removed(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("warm in gvisor");

	(void)state;
	f.runtime = "gvisor";
	deploy(&f);
	struct grant g = warm_up(&w, f.name);
	restart_engine("{\"runc\":{}}", NULL);
	assert_string_equal(worker_take(&w, f.name).sandbox_id, g.sandbox_id);
	restart_engine(NULL, NULL);
}

static void ignore(const struct err *err, void *arg)
{
	(void)err;
	(void)arg;
}

static void who_waits_when_the_engine_turns_out_to_lack_the_runtime_is_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("waits for its runtime");
	AUTO(function_free) struct function busy = deployed("keeps the node full");

	(void)state;
	f.runtime = "gvisor";
	deploy(&f);
	rig.conf->pool_max_sandboxes = 1;
	worker_take(&w, busy.name);
	uint64_t seq = worker_lease(&w, f.name, 0);
	worker_assert_silent(&w);
	rig.engine->runtimes = "{\"runc\":{}}";
	rig.engine->manner[FAKE_IMAGE].raw = "this is no HTTP\r\n\r\n"; /* makes the driver look at the engine */
	for (int i = 0; i < 10 && docker_offers(rig.docker, driver_find("gvisor")); i++) {
		int probes = rig.engine->calls[FAKE_VERSION];
		docker_check_image(rig.docker, "any", ignore, NULL);
		WAIT_FOR(rig.engine->calls[FAKE_VERSION] > probes);
		rig_barrier();
		rig_turn();
	}
	struct denial d = worker_denied(&w, seq);
	assert_string_equal(d.code, "runtime_unavailable");
	assert_string_equal(d.detail, driver_find("gvisor")->missing);
	restart_engine(NULL, NULL);
}

static void egress_without_its_network_is_denied_at_once_and_told_what_to_do(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("egress");

	(void)state;
	f.network = "egress";
	deploy(&f);
	struct denial d = worker_denied(&w, worker_lease(&w, f.name, 0));
	assert_string_equal(d.code, "runtime_unavailable");
	assert_non_null(strstr(d.detail, "scripts/egress up"));
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_CREATE], 0);

	restart_engine(NULL, "berth-unit");
	struct grant g = worker_take(&w, f.name);
	assert_string_equal(host_config_of(&g, "NetworkMode"), "berth-unit");
	restart_engine(NULL, NULL);
}

static void a_sandbox_without_egress_never_serves_a_version_with_it(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("egress of its own");

	(void)state;
	f.network = "egress";
	deploy(&f);
	restart_engine(NULL, "berth-unit");
	rig.conf->pool_min_spares = 1;
	wait_for_spares(1);
	struct grant g = worker_take(&w, f.name);
	assert_int_equal(g.kind, IPC_START_COLD);
	assert_int_equal(default_shape()->spare_count, 1);
	restart_engine(NULL, NULL);
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

/* ---- Questions how a sandbox ended ---- */

/* A worker that gives back as good what it has just asked about is mistaken, but the next one does not suffer. */
static void what_one_worker_asked_is_not_answered_to_the_next(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(worker_close) struct worker next = worker_connect();
	AUTO(function_free) struct function f = deployed("asked about");

	(void)state;
	for (int docker_was_asked = 0; docker_was_asked < 2; docker_was_asked++) {
		struct grant g = worker_take(&w, f.name);
		struct sandbox *s = sandbox_find(g.sandbox_id);
		rig.tick = NULL;
		rig.engine->manner[FAKE_INSPECT].hold = true;
		worker_autopsy(&w, g.lease_id);
		WAIT_FOR(s->autopsy_us != 0);
		if (docker_was_asked) {
			autopsy_tick(INT64_MAX);
			WAIT_FOR(fake_docker_held(rig.engine, FAKE_INSPECT) == 1);
		}
		worker_release(&w, g.lease_id, false);
		WAIT_FOR(s->state == SANDBOX_IDLE);
		struct grant again = worker_take(&next, f.name);
		assert_string_equal(again.sandbox_id, g.sandbox_id);
		rig.engine->manner[FAKE_INSPECT].hold = false;
		fake_docker_let_go(rig.engine, FAKE_INSPECT);
		autopsy_tick(INT64_MAX);
		WAIT_FOR(s->holds == 0);
		rig_barrier();
		worker_assert_silent(&next);
		worker_assert_silent(&w);
		worker_release(&next, again.lease_id, false);
		WAIT_FOR(s->state == SANDBOX_IDLE);
		rig.tick = pool_tick;
	}
}

/* ---- PostgreSQL ---- */

static void without_postgresql_warm_functions_go_on_and_unknown_ones_are_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function warm = deployed("warm without store");
	AUTO(function_free) struct function unknown = deployed("unknown without store");
	AUTO(function_free) struct function candidate = function_new("candidate without store");

	(void)state;
	struct grant g = warm_up(&w, warm.name);
	pg_scratch_stop(pg);
	struct denial d = worker_denied(&w, worker_lease(&w, unknown.name, 0));
	assert_string_equal(d.code, "store_unavailable");
	assert_true(d.retry_after_ms > 0);
	assert_non_null(strstr(d.detail, "PostgreSQL"));
	struct grant again = worker_take(&w, warm.name);
	assert_string_equal(again.sandbox_id, g.sandbox_id);
	struct grant more = worker_take(&w, warm.name); /* its package is on this node */
	assert_string_not_equal(more.sandbox_id, g.sandbox_id);
	check_function(&w, &candidate);

	pg_scratch_start(pg);
	WAIT_FOR(store_is_up());
	worker_take(&w, unknown.name);
}

static void a_lookup_under_way_when_postgresql_goes_is_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("under way");

	(void)state;
	char *definition = slow_store_hang_new(pg);
	uint64_t seq = worker_lease(&w, f.name, 0);
	worker_assert_silent(&w);
	pg_scratch_stop(pg);
	assert_string_equal(worker_denied(&w, seq).code, "store_unavailable");
	pg_scratch_start(pg);
	slow_store_cure(pg, &definition);
	WAIT_FOR(store_is_up());
}

static void what_workers_keep_is_asked_for_once_postgresql_is_back(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("kept while postgresql was away");

	(void)state;
	struct grant g = worker_take(&w, f.name);
	pg_scratch_stop(pg);
	WAIT_FOR(!store_is_up());
	assert_not_recalled(&w);
	pg_scratch_start(pg);
	WAIT_FOR(store_is_up());
	assert_recalled(&w, &g);
	worker_release(&w, g.lease_id, false);
	WAIT_FOR(state_of(&g) == SANDBOX_IDLE); /* it is not out of date as far as is known */
}

static void a_package_that_vanished_from_the_node_is_fetched_again_and_costs_no_request(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("vanished");

	(void)state;
	worker_release(&w, worker_take(&w, f.name).lease_id, true);
	char *path = mem_printf("%s/packages/%s", rig.dir, f.sha256);
	unit_remove_dir(&path);
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_code_is(&g, "vanished");
}

static void a_broken_package_is_told_and_nothing_is_kept_of_it(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("broken");

	(void)state;
	buf_reset(&f.archive);
	buf_add_str(&f.archive, "this is no archive");
	archive_hash(&f.archive, f.sha256);
	deploy(&f);
	for (int i = 0; i < 2; i++) {
		struct denial d = worker_denied(&w, worker_lease(&w, f.name, 0));
		assert_string_equal(d.code, "runtime_unavailable");
		assert_non_null(strstr(d.detail, "package"));
	}
	assert_false(rig_exists("packages/%s", f.sha256));
}

static void the_package_of_a_known_version_stays_and_one_nobody_knows_goes_when_space_is_short(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("package in use");

	(void)state;
	worker_release(&w, worker_take(&w, f.name).lease_id, true);
	WAIT_FOR(sandbox_total() == 0);
	rig.conf->pool_package_cache_mb = 0;
	package_set_conf(rig.conf);
	assert_true(package_is_unpacked(f.sha256)); /* the next request needs it */
	worker_done(&w, worker_invalidate(&w, f.id, 2));
	WAIT_FOR(HASH_COUNT(versions) == 0);
	package_set_conf(rig.conf);
	assert_false(package_is_unpacked(f.sha256));
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_code_is(&g, "package in use");
}

/* ---- New versions ---- */

static void after_done_no_lease_runs_the_older_version(void **state)
{
	AUTO(worker_close) struct worker one = worker_connect();
	AUTO(worker_close) struct worker two = worker_connect();
	AUTO(function_free) struct function f = deployed("first");

	(void)state;
	struct grant idle = warm_up(&one, f.name);
	struct grant held = worker_take(&one, f.name);
	assert_string_equal(held.sandbox_id, idle.sandbox_id);
	struct grant more = worker_take(&one, f.name);
	worker_release(&one, more.lease_id, false);
	WAIT_FOR(state_of(&more) == SANDBOX_IDLE);

	deploy_code(&f, "second");
	worker_done(&two, worker_invalidate(&two, f.id, 2));
	assert_int_not_equal(state_of(&more), SANDBOX_IDLE);
	assert_int_equal(state_of(&held), SANDBOX_LEASED); /* its invocation goes on */
	AUTO(worker_close_fds) struct grant g = worker_granted(&two, worker_lease(&two, f.name, 0));
	assert_int_equal(g.version, 2);
	assert_code_is(&g, "second");
	worker_release(&one, held.lease_id, false);
	WAIT_FOR(is_gone(&held) && is_gone(&more));
}

static void who_waits_for_the_older_version_gets_the_newer_one(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("old");

	(void)state;
	f.max_concurrency = 1;
	deploy(&f);
	worker_take(&w, f.name);
	uint64_t seq = worker_lease(&w, f.name, 0);
	worker_assert_silent(&w);
	deploy_code(&f, "new");
	uint64_t invalidation = worker_invalidate(&w, f.id, 2);
	worker_done(&w, invalidation);
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, seq);
	assert_int_equal(g.version, 2);
	assert_code_is(&g, "new");
}

static void a_version_asked_for_by_its_number_stays_what_it_is(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("one");

	(void)state;
	deploy_code(&f, "two");
	AUTO(worker_close_fds) struct grant old = worker_granted(&w, worker_lease(&w, f.name, 1));
	assert_int_equal(old.version, 1);
	assert_code_is(&old, "one");
	worker_done(&w, worker_invalidate(&w, f.id, 2));
	worker_release(&w, old.lease_id, false);
	AUTO(worker_close_fds) struct grant again = worker_granted(&w, worker_lease(&w, f.id, 1));
	assert_int_equal(again.version, 1);
	assert_code_is(&again, "one");
	worker_release(&w, again.lease_id, false); /* asked for again, it is worth keeping */
	AUTO(worker_close_fds) struct grant third = worker_granted(&w, worker_lease(&w, f.name, 1));
	assert_string_equal(third.sandbox_id, again.sandbox_id);
	AUTO(worker_close_fds) struct grant current = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_int_equal(current.version, 2);
}

static void a_deleted_function_loses_its_sandboxes_and_who_waits_is_told(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("deleted");

	(void)state;
	f.max_concurrency = 1;
	deploy(&f);
	struct grant g = worker_take(&w, f.name);
	uint64_t current = worker_lease(&w, f.name, 0), numbered = worker_lease(&w, f.name, 1);
	WAIT_FOR(sandbox_find(g.sandbox_id)->version->waiting == 2);
	drop(&f);
	pg_scratch_exec(pg, "select delete_function_versions('%s')", f.id);
	worker_done(&w, worker_invalidate(&w, f.id, 0));
	assert_string_equal(worker_denied(&w, current).code, "not_found");
	assert_string_equal(worker_denied(&w, numbered).code, "not_found");
	worker_release(&w, g.lease_id, false);
	WAIT_FOR(is_gone(&g));
	assert_string_equal(worker_denied(&w, worker_lease(&w, f.name, 0)).code, "not_found");
}

static void a_change_made_elsewhere_is_heard_of(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("here");

	(void)state;
	struct grant g = warm_up(&w, f.name);
	deploy_code(&f, "elsewhere");
	WAIT_FOR(is_gone(&g));
	AUTO(worker_close_fds) struct grant new = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_code_is(&new, "elsewhere");
	worker_release(&w, new.lease_id, false);
	WAIT_FOR(state_of(&new) == SANDBOX_IDLE);
	drop(&f);
	WAIT_FOR(is_gone(&new));
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
	assert_string_equal(worker_denied(&w, seq).code, "not_found");
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
	assert_string_equal(worker_denied(&w, looked_up).code, "draining");
	assert_string_equal(worker_denied(&w, seq).code, "draining");
	PQfinish(lock);
	WAIT_FOR(sandbox_total() == 2);
	assert_int_equal(fake_docker_count(rig.engine), 2);
	assert_int_equal(sandbox_counts[SANDBOX_LEASED], 2);

	assert_string_equal(worker_denied(&w, worker_lease(&w, "any", 0)).code, "draining");
	assert_string_equal(worker_denied(&w, worker_check(&w, function_spec(&idle), &idle.archive)).code, "draining");
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
		STORED_TEST(a_second_lease_is_warm_by_name_and_by_id),
		STORED_TEST(candidates_of_the_same_version_never_share_a_sandbox),
		STORED_TEST(a_check_that_cannot_be_is_denied_in_words),
		STORED_TEST(what_is_not_there_is_not_found),
		STORED_TEST(a_sandbox_released_to_be_destroyed_is_removed_and_not_used_again),
		STORED_TEST(a_sandbox_that_ended_while_it_was_leased_is_not_used_again),
		STORED_TEST(a_worker_that_goes_takes_its_sandboxes_along_and_who_waits_gets_new_ones),
		STORED_TEST(a_worker_that_goes_while_it_waits_is_forgotten),
		STORED_TEST(nobody_can_give_back_what_another_worker_has),
		STORED_TEST(who_waits_is_served_in_turn),
		STORED_TEST(a_full_queue_is_told_at_once),
		STORED_TEST(never_more_sandboxes_than_a_function_may_have),
		STORED_TEST(two_functions_get_the_spares_of_their_shape_in_turn),
		STORED_TEST(one_that_waits_too_long_for_a_busy_sandbox_gets_another),
		STORED_TEST(on_a_busy_node_spares_are_made_good_seldom_and_one_by_one),
		STORED_TEST(a_container_is_started_for_who_has_waited_as_long_as_that_takes),
		STORED_TEST(who_waits_makes_poolmgr_ask_for_every_sandbox_of_the_version_once),
		STORED_TEST(before_done_the_sandboxes_of_older_versions_are_asked_for),
		STORED_TEST(before_done_another_worker_has_been_asked_as_well),
		STORED_TEST(how_long_an_invocation_takes_is_learnt_and_told),
		STORED_TEST(the_try_of_a_version_teaches_nothing),
		STORED_TEST(workers_that_collide_again_and_again_get_a_sandbox_each_up_to_their_turns),
		STORED_TEST(workers_that_collide_get_no_more_than_the_function_may_have),
		STORED_TEST(a_collision_now_and_then_is_worth_no_sandbox),
		STORED_TEST(a_deadline_that_passes_for_want_of_concurrency_says_so),
		STORED_TEST(a_deadline_that_passes_while_a_sandbox_starts_says_overloaded),
		STORED_TEST(a_deadline_that_passes_after_a_failed_start_says_why_it_failed),
		STORED_TEST(a_deadline_that_passes_before_postgresql_answers_is_kept),
		STORED_TEST(a_deadline_in_the_past_is_denied_unless_a_sandbox_is_free),
		STORED_TEST(spares_are_kept_ready_and_made_good),
		STORED_TEST(a_shape_of_its_own_has_spares_as_long_as_it_is_used),
		STORED_TEST(an_idle_sandbox_goes_after_its_time_and_not_before),
		STORED_TEST(a_full_node_makes_room_by_what_has_been_idle_longest),
		STORED_TEST(a_full_node_makes_room_by_spares_nobody_waits_for),
		STORED_TEST(a_node_full_of_work_lets_wait_and_serves_what_comes_free),
		STORED_TEST(no_more_sandboxes_start_at_once_than_set),
		STORED_TEST(without_an_engine_warm_functions_go_on_and_others_are_told_at_once),
		STORED_TEST(starts_that_fail_are_told_in_dockers_words_and_tried_again_after_a_pause),
		STORED_TEST(one_start_that_fails_costs_no_request),
		STORED_TEST(spares_that_end_right_after_hello_are_started_with_growing_pauses),
		STORED_TEST(a_sandbox_that_has_served_ends_the_pauses_and_an_older_one_does_not),
		STORED_TEST(a_version_runs_in_the_runtime_it_names),
		STORED_TEST(a_version_whose_runtime_is_missing_is_denied_at_once_and_told_what_to_install),
		STORED_TEST(a_warm_sandbox_goes_on_when_its_runtime_is_removed),
		STORED_TEST(who_waits_when_the_engine_turns_out_to_lack_the_runtime_is_told),
		STORED_TEST(egress_without_its_network_is_denied_at_once_and_told_what_to_do),
		STORED_TEST(a_sandbox_without_egress_never_serves_a_version_with_it),
		STORED_TEST(a_sandbox_of_its_own_is_destroyed_after_one_invocation),
		STORED_TEST(a_sandbox_of_its_own_that_has_not_been_used_is_kept),
		STORED_TEST(each_that_waits_gets_a_sandbox_of_its_own_within_the_concurrency),
		STORED_TEST(what_one_worker_asked_is_not_answered_to_the_next),
		STORED_TEST(without_postgresql_warm_functions_go_on_and_unknown_ones_are_told),
		STORED_TEST(a_lookup_under_way_when_postgresql_goes_is_told),
		STORED_TEST(what_workers_keep_is_asked_for_once_postgresql_is_back),
		STORED_TEST(a_package_that_vanished_from_the_node_is_fetched_again_and_costs_no_request),
		STORED_TEST(a_broken_package_is_told_and_nothing_is_kept_of_it),
		STORED_TEST(the_package_of_a_known_version_stays_and_one_nobody_knows_goes_when_space_is_short),
		STORED_TEST(after_done_no_lease_runs_the_older_version),
		STORED_TEST(who_waits_for_the_older_version_gets_the_newer_one),
		STORED_TEST(a_version_asked_for_by_its_number_stays_what_it_is),
		STORED_TEST(a_deleted_function_loses_its_sandboxes_and_who_waits_is_told),
		STORED_TEST(a_change_made_elsewhere_is_heard_of),
		STORED_TEST(a_sandbox_that_ends_while_its_files_are_linked_costs_no_request),
		STORED_TEST(a_sandbox_whose_version_went_out_of_date_while_its_files_were_linked_is_not_kept),
		STORED_TEST(a_sandbox_nobody_waits_for_any_more_once_its_files_are_linked_serves_the_next),
		STORED_TEST(stopping_tells_who_waits_and_removes_everything_but_what_is_leased),
	};

	return cmocka_run_group_tests(tests, stored_set_up, stored_tear_down);
}
