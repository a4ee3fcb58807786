/* Who waits gets a sandbox in turn, in time, and from whom has one. */
#include "tests/unit/poolmgr/stored.h"

#include <utlist.h>

#include "base/mem.h"
#include "poolmgr/catalog/store.h"
#include "poolmgr/node/headroom.h"
#include "poolmgr/pool/pool.h"
#include "tests/unit/poolmgr/slow_store.h"

/* ---- What travels with a sandbox ---- */

static void the_sandbox_that_takes_the_place_of_one_that_ended_says_so_once(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("ended after its answer");

	(void)state;
	struct grant g = worker_take(&w, f.name);
	assert_string_equal(g.start_cause, "");
	worker_release_last(&w, g.lease_id, 9, 0);
	g = worker_take(&w, f.name);
	assert_int_equal(g.last, 9);
	worker_release_last(&w, g.lease_id, 9, COUNT_KILL_EXITED_IDLE);
	struct grant next = worker_take(&w, f.name);
	assert_string_equal(next.start_cause, "The sandbox before ended after it had answered invocation "
					      "09000000-0000-0000-0000-000000000000");
	assert_int_equal(next.last, 0);
	worker_release_last(&w, next.lease_id, 7, 0);
	next = worker_take(&w, f.name);
	assert_string_equal(next.start_cause, "");
	worker_release_last(&w, next.lease_id, 7, COUNT_KILL_TIMEOUT);
	next = worker_take(&w, f.name);
	assert_string_equal(next.start_cause, "");
	worker_release(&w, next.lease_id, false);
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

static void who_withdraws_leaves_the_queue_and_holds_up_nobody(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("withdrawn");
	uint64_t left[6], withdrawals = counters[COUNT_DENY_WITHDRAWN];

	(void)state;
	f.max_concurrency = 1;
	deploy(&f);
	struct grant g = worker_take(&w, f.name);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++)
		left[i] = worker_lease(&w, f.name, 0);
	uint64_t next = worker_lease(&w, f.name, 0);
	WAIT_FOR(pool_waiting() == (int)ARRAY_SIZE(left) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(left); i++) {
		worker_withdraw(&w, left[i]);
		worker_withdrawn(&w, left[i]);
	}
	assert_int_equal(pool_waiting(), 1);
	assert_int_equal(counters[COUNT_DENY_WITHDRAWN] - withdrawals, ARRAY_SIZE(left));
	worker_release(&w, g.lease_id, false);
	AUTO(worker_close_fds) struct grant after = worker_granted(&w, next);
	assert_string_equal(after.sandbox_id, g.sandbox_id);
}

/* Otherwise clients that leave would cause any number of lookups. */
static void who_withdraws_before_its_function_was_found_is_told_when_it_was(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("withdrawn early");

	(void)state;
	char *definition = slow_store_hang_new(pg);
	uint64_t seq = worker_lease(&w, f.name, 0);
	worker_assert_silent(&w);
	worker_withdraw(&w, seq);
	worker_assert_silent(&w);
	assert_int_equal(pool_waiting(), 1);
	slow_store_cure(pg, &definition);
	worker_withdrawn(&w, seq);
	assert_int_equal(pool_waiting(), 0);
	worker_take(&w, f.name);
}

static void a_withdrawal_that_crosses_its_grant_is_ignored(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("crossed");

	(void)state;
	uint64_t seq = worker_lease(&w, f.name, 0);
	struct grant g = worker_granted(&w, seq);
	worker_close_fds(&g);
	struct ipc_msg withdraw = {.type = IPC_WITHDRAW, .withdraw.seq = seq};
	worker_send(&w, &withdraw);
	assert_int_equal(state_of(&g), SANDBOX_LEASED);
	worker_assert_silent(&w);
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
	assert_int_equal(d.code, PROBLEM_THROTTLED);
	assert_int_equal(d.reason, THROTTLED_QUEUE_FULL);
	assert_non_null(strstr(d.detail, "2 requests already wait"));
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
	headroom_tick(1, rig.conf->pool_spare_idle_percent);
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
	assert_int_equal(d.code, PROBLEM_THROTTLED);
	assert_int_equal(d.reason, THROTTLED_FUNCTION_CONCURRENCY);
	assert_non_null(strstr(d.detail, "The function's 1 sandbox (max_concurrency) stayed busy for 0."));
}

static void a_deadline_that_passes_while_a_sandbox_starts_says_overloaded(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("slow start");

	(void)state;
	warm_up(&w, f.name); /* it is known and unpacked */
	sandbox_kill(sandbox_lists[SANDBOX_IDLE], COUNT_KILL_USED_UP);
	rig.engine->boot = FAKE_BOOT_SILENT;
	struct denial d = denied_late(&w, f.name);
	assert_int_equal(d.code, PROBLEM_OVERLOADED);
	assert_true(d.retry_after_ms > 0);
}

static void a_deadline_that_passes_after_a_failed_start_says_why_it_failed(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("failed start");

	(void)state;
	warm_up(&w, f.name);
	sandbox_kill(sandbox_lists[SANDBOX_IDLE], COUNT_KILL_USED_UP);
	rig.engine->boot = FAKE_BOOT_HANGS_UP;
	int64_t deadline_us = clock_mono_us() + RIG_TIMEOUT_US;
	uint64_t seq = worker_lease_until(&w, f.name, 0, deadline_us);
	WAIT_FOR(default_shape()->failures == 1);
	default_shape()->retry_us = deadline_us; /* there is no second one */
	pool_tick(deadline_us);
	struct denial d = worker_denied(&w, seq);
	assert_int_equal(d.code, PROBLEM_RUNTIME_UNAVAILABLE);
	assert_non_null(strstr(d.detail, "the agent ended before it was ready"));
}

static void a_deadline_that_passes_before_postgresql_answers_is_kept(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = deployed("locked");

	(void)state;
	PGconn *lock = slow_store_lock(rig.conf->database_conninfo);
	int64_t start_us = clock_mono_us();
	struct denial d = denied_late(&w, f.name);
	assert_int_equal(d.code, PROBLEM_STORE_UNAVAILABLE);
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
	assert_int_equal(worker_denied(&w, worker_lease_until(&w, f.name, 0, 0)).code, PROBLEM_OVERLOADED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORED_TEST(the_sandbox_that_takes_the_place_of_one_that_ended_says_so_once),
		STORED_TEST(who_waits_is_served_in_turn),
		STORED_TEST(who_withdraws_leaves_the_queue_and_holds_up_nobody),
		STORED_TEST(who_withdraws_before_its_function_was_found_is_told_when_it_was),
		STORED_TEST(a_withdrawal_that_crosses_its_grant_is_ignored),
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
	};

	return cmocka_run_group_tests(tests, stored_set_up, stored_tear_down);
}
