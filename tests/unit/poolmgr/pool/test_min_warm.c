/* min_warm: sandboxes that have loaded their function before anybody calls it. The containers' agents answer INIT here. */
#include "tests/unit/poolmgr/stored.h"

#include <poll.h>
#include <sys/socket.h>
#include <utlist.h>

#include "ipc/frame.h"
#include "poolmgr/catalog/resolve.h"
#include "poolmgr/catalog/store.h"
#include "poolmgr/pool/min_warm.h"
#include "poolmgr/pool/pool.h"

static struct {
	enum { LOADS, FAILS, SAYS_NOTHING, GOES, BREAKS_PROTOCOL } manner;
	int inits;
	char init[1024]; /* the latest */
} agents;

static void say(struct fake_container *c, enum frame_type type, const char *payload)
{
	AUTO(buf_free) struct buf out = {0};

	frame_encode(&out, type, payload, strlen(payload), NULL, 0);
	fake_container_say(c, out.data, out.len);
}

static void answer_init(struct fake_container *c)
{
	switch (agents.manner) {
	case LOADS:
		say(c, FRAME_READY, "{}");
		break;
	case FAILS:
		say(c, FRAME_INIT_ERROR, "{\"kind\":\"exception\",\"type\":\"KeyError\",\"message\":\"'x'\",\"stack\":[]}");
		fake_container_hang_up(c);
		break;
	case SAYS_NOTHING:
		break;
	case GOES:
		fake_container_hang_up(c);
		break;
	case BREAKS_PROTOCOL:
		say(c, FRAME_RESULT, "{}");
		break;
	}
}

static void hear(struct fake_container *c)
{
	struct pollfd p = {.fd = c->control_fd, .events = POLLIN};
	char text[sizeof(agents.init) + FRAME_HEADER_SIZE] = "";

	if (c->control_fd < 0 || poll(&p, 1, 0) <= 0 || recv(c->control_fd, text, sizeof(text) - 1, 0) <= FRAME_HEADER_SIZE)
		return;
	assert_int_equal(text[4], FRAME_INIT);
	agents.inits++;
	snprintf(agents.init, sizeof(agents.init), "%s", text + FRAME_HEADER_SIZE);
	answer_init(c);
}

static void tick(int64_t now_us)
{
	struct fake_container *c, *next;

	DL_FOREACH_SAFE (rig.engine->containers, c, next)
		hear(c);
	pool_tick(now_us);
}

static int with_agents(void **state)
{
	int rc = stored_each(state);

	memset(&agents, 0, sizeof(agents));
	rig.tick = tick;
	return rc;
}

static int kept_functions(void)
{
	json_t *json = min_warm_json();
	int n = (int)json_integer_value(json_object_get(json, "functions"));

	json_decref(json);
	return n;
}

static int nothing_is_kept(void **state)
{
	pg_scratch_exec(pg, "update functions set version = null, status = 'deleted'");
	WAIT_FOR(kept_functions() == 0);
	return stored_nothing_leaks(state);
}

static struct function kept(const char *code, int min_warm)
{
	struct function f = function_new(code);

	f.min_warm = min_warm;
	deploy(&f);
	return f;
}

/* The version of f that is known here, which is there. */
static const struct version *version_of(const struct function *f)
{
	char key[UUID_TEXT_SIZE + 12];
	const struct version *v;

	snprintf(key, sizeof(key), "%s/%d", f->id, f->version);
	HASH_FIND_STR(versions, key, v);
	return v;
}

static int idle_of(const struct function *f)
{
	const struct version *v = version_of(f);
	const struct sandbox *s;
	int n = 0;

	if (v != NULL)
		DL_COUNT2(v->idle, s, n, peer_next);
	return n;
}

static void wait_for_idle(const struct function *f, int count)
{
	WAIT_FOR(idle_of(f) == count && sandbox_counts[SANDBOX_WARMING] == 0);
}

static void a_function_is_loaded_before_anybody_calls_it(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = kept("kept", 2);

	(void)state;
	wait_for_idle(&f, 2);
	assert_int_equal(agents.inits, 2);
	assert_non_null(strstr(agents.init, "\"handler\":\"main.handler\""));
	assert_non_null(strstr(agents.init, f.id));
	assert_non_null(strstr(agents.init, "\"sandbox_id\":\""));
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_int_equal(g.kind, IPC_START_WARM);
	assert_string_equal(g.init, "");
	assert_code_is(&g, "kept");
	for (int i = 0; i < 10; i++)
		rig_barrier();
	assert_int_equal(sandbox_total(), 2); /* one that is busy counts */
}

static void one_that_is_not_to_be_kept_is_not_even_looked_at(void **state)
{
	AUTO(function_free) struct function f = deployed("scales to zero");
	AUTO(function_free) struct function g = kept("kept beside it", 1);

	(void)state;
	wait_for_idle(&g, 1);
	assert_null(version_of(&f));
	assert_int_equal(kept_functions(), 1);
}

static void what_is_kept_takes_spares_and_they_are_made_good(void **state)
{
	(void)state;
	rig.conf->pool_min_spares = 1;
	wait_for_spares(1);
	AUTO(function_free) struct function f = kept("from a spare", 1);
	wait_for_idle(&f, 1);
	wait_for_spares(1);
	assert_int_equal(rig.engine->calls[FAKE_CREATE], 3); /* the spare of the other language, too */
}

static void what_is_kept_outlives_its_time_and_what_is_beyond_does_not(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = kept("outlives", 1);

	(void)state;
	wait_for_idle(&f, 1);
	struct grant a = worker_take(&w, f.name), b = worker_take(&w, f.name);
	worker_release(&w, a.lease_id, false);
	worker_release(&w, b.lease_id, false);
	wait_for_idle(&f, 2);
	tick(clock_mono_us() + 2 * rig.conf->pool_idle_timeout_ms * 1000);
	wait_for_idle(&f, 1);
	rig_barrier();
	assert_int_equal(agents.inits, 1); /* it is no other one */
}

static void what_is_kept_is_not_evicted_when_the_node_is_full(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = kept("kept on a full node", 1);
	AUTO(function_free) struct function one = deployed("one");
	AUTO(function_free) struct function two = deployed("two");

	(void)state;
	wait_for_idle(&f, 1);
	rig.conf->pool_max_sandboxes = 2;
	struct grant g = warm_up(&w, one.name);
	worker_take(&w, two.name);
	assert_true(is_gone(&g));
	assert_int_equal(idle_of(&f), 1);
}

static void all_together_are_kept_what_the_settings_allow_and_the_rest_is_told(void **state)
{
	AUTO(function_free) struct function f = function_new("first");
	AUTO(function_free) struct function g = function_new("second");
	const struct function *first = strcmp(f.id, g.id) < 0 ? &f : &g, *second = first == &f ? &g : &f;

	(void)state;
	f.min_warm = g.min_warm = 5;
	rig.conf->pool_max_sandboxes = 12;
	pool_set_conf(rig.conf);
	deploy(&f);
	deploy(&g);
	wait_for_idle(first, 5);
	wait_for_idle(second, 1);
	json_t *json = min_warm_json(), *problem = json_array_get(json_object_get(json, "problems"), 0);
	assert_int_equal(json_integer_value(json_object_get(json, "wanted")), 6);
	assert_string_equal(json_string_value(json_object_get(problem, "function")), second->id);
	assert_non_null(strstr(json_string_value(json_object_get(problem, "problem")), "min_warm is 5, but only 1 are kept"));
	json_decref(json);

	rig.conf->pool_memory_budget_mb = 6 * 128; /* half of which is three */
	pool_set_conf(rig.conf);
	tick(clock_mono_us() + 2 * rig.conf->pool_idle_timeout_ms * 1000);
	wait_for_idle(first, 3);
	wait_for_idle(second, 0);

	rig.conf->pool_memory_budget_mb = 10000;
	rig.conf->pool_min_warm_percent = 90;
	pool_set_conf(rig.conf);
	wait_for_idle(first, 5);
	wait_for_idle(second, 5);
}

/* The ticks of the pool are not waited for. */
static void one_that_is_kept_is_no_problem_from_the_start(void **state)
{
	AUTO(function_free) struct function f = kept("no problem", 1);
	json_t *json = NULL;

	(void)state;
	rig.tick = NULL;
	do {
		json_decref(json);
		rig_turn();
		json = min_warm_json();
	} while (json_integer_value(json_object_get(json, "wanted")) == 0);
	assert_int_equal(json_array_size(json_object_get(json, "problems")), 0);
	json_decref(json);
	rig.tick = tick;
}

/* It would have to wait for ever, since what is kept never goes by itself. */
static void when_all_else_is_busy_a_request_gets_what_is_kept_for_others(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = kept("gives way", 2);
	AUTO(function_free) struct function one = deployed("one that is busy");
	AUTO(function_free) struct function two = deployed("two");

	(void)state;
	rig.conf->pool_max_sandboxes = 4;
	pool_set_conf(rig.conf);
	wait_for_idle(&f, 2);
	struct grant a = worker_take(&w, one.name), b = worker_take(&w, one.name);
	struct grant c = worker_take(&w, two.name);
	assert_int_equal(idle_of(&f), 1);
	worker_release(&w, a.lease_id, true);
	wait_for_idle(&f, 2);
	worker_release(&w, b.lease_id, false);
	worker_release(&w, c.lease_id, false);
}

static void a_large_request_gets_the_room_of_several_that_are_kept(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = kept("small ones", 3);
	AUTO(function_free) struct function large = function_new("large");

	(void)state;
	large.memory_limit_mb = 6 * 128 - 10;
	deploy(&large);
	rig.conf->pool_memory_budget_mb = 6 * 128;
	pool_set_conf(rig.conf);
	wait_for_idle(&f, 3);
	struct grant g = worker_take(&w, large.name);
	assert_int_equal(idle_of(&f), 0);
	worker_release(&w, g.lease_id, true);
	wait_for_idle(&f, 3);
}

static void die_long_after_loading(struct sandbox *s)
{
	char id[SANDBOX_ID_SIZE];

	memcpy(id, s->id, sizeof(id));
	s->since_us -= 3600000000;
	fake_docker_die(rig.engine, id, true);
	WAIT_FOR(sandbox_find(id) == NULL);
}

static void one_that_dies_is_replaced(void **state)
{
	AUTO(function_free) struct function f = kept("dies", 1);

	(void)state;
	wait_for_idle(&f, 1);
	die_long_after_loading(sandbox_lists[SANDBOX_IDLE]);
	wait_for_idle(&f, 1);
	assert_int_equal(version_of(&f)->min_warm_failures, 0);
}

static void a_new_version_is_loaded_and_the_old_one_goes(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = kept("old", 2);

	(void)state;
	wait_for_idle(&f, 2);
	deploy_code(&f, "new");
	worker_done(&w, worker_invalidate(&w, f.id, 2));
	wait_for_idle(&f, 2);
	WAIT_FOR(sandbox_total() == 2);
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, worker_lease(&w, f.name, 0));
	assert_int_equal(g.kind, IPC_START_WARM);
	assert_code_is(&g, "new");
}

static void how_many_are_kept_can_be_changed_and_a_deleted_function_keeps_none(void **state)
{
	AUTO(function_free) struct function f = kept("changes", 1);

	(void)state;
	wait_for_idle(&f, 1);
	f.min_warm = 3;
	deploy_code(&f, "changes to three");
	wait_for_idle(&f, 3);
	f.min_warm = 0;
	deploy_code(&f, "changes to none");
	WAIT_FOR(sandbox_total() == 0 && kept_functions() == 0);
	f.min_warm = 1;
	deploy_code(&f, "changes to one");
	wait_for_idle(&f, 1);
	drop(&f);
	WAIT_FOR(sandbox_total() == 0 && kept_functions() == 0);
}

static void what_a_request_needs_comes_first_and_counts(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = kept("first", 1);

	(void)state;
	rig.tick = NULL; /* nothing is loaded for the sake of it */
	struct grant g = worker_take(&w, f.name);
	assert_int_equal(g.kind, IPC_START_COLD);
	rig.tick = tick;
	WAIT_FOR(version_of(&f)->min_warm == 1);
	for (int i = 0; i < 10; i++)
		rig_barrier();
	assert_int_equal(sandbox_total(), 1);
	assert_int_equal(agents.inits, 0);
}

static void a_request_waits_for_what_is_being_loaded(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = kept("being loaded", 1);

	(void)state;
	agents.manner = SAYS_NOTHING;
	WAIT_FOR(agents.inits == 1);
	uint64_t seq = worker_lease(&w, f.name, 0);
	worker_assert_silent(&w);
	say(rig.engine->containers, FRAME_READY, "{}");
	AUTO(worker_close_fds) struct grant g = worker_granted(&w, seq);
	assert_int_equal(g.kind, IPC_START_WARM);
	assert_int_equal(rig.engine->calls[FAKE_CREATE], 1);
}

static void code_that_does_not_load_is_told_and_tried_again_with_growing_pauses(void **state)
{
	static const struct {
		int manner;
		const char *words;
	} ways[] = {
		{FAILS, "loading its code failed; invoke the function to see the error"},
		{GOES, "its process ended while loading the code"},
		{BREAKS_PROTOCOL, "broke the protocol"},
	};
	AUTO(function_free) struct function f = function_new("does not load");

	(void)state;
	f.min_warm = 1;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		agents.manner = (int)ways[i].manner;
		deploy_code(&f, ways[i].words);
		for (int failures = 1; failures <= 3; failures++) {
			WAIT_FOR(version_of(&f) != NULL && version_of(&f)->min_warm_failures == failures);
			struct version *v = (struct version *)version_of(&f);
			assert_non_null(strstr(v->min_warm_problem, ways[i].words));
			assert_int_equal(v->min_warm_retry_us - v->min_warm_failed_us, 500000 << failures);
			WAIT_FOR(sandbox_total() == 0);
			int inits = agents.inits;
			rig_barrier();
			assert_int_equal(agents.inits, inits);
			v->min_warm_retry_us = 0;
		}
	}
	json_t *json = min_warm_json();
	assert_int_equal(json_array_size(json_object_get(json, "problems")), 1);
	json_decref(json);
	assert_int_equal(default_shape()->failures, 0); /* its containers start well */
	agents.manner = LOADS;
	((struct version *)version_of(&f))->min_warm_retry_us = 0;
	wait_for_idle(&f, 1);
	assert_string_equal(version_of(&f)->min_warm_problem, "");
}

static void code_that_takes_too_long_to_load_is_given_up(void **state)
{
	AUTO(function_free) struct function f = kept("takes too long", 1);

	(void)state;
	agents.manner = SAYS_NOTHING;
	WAIT_FOR(agents.inits == 1);
	int64_t since_us = sandbox_lists[SANDBOX_WARMING]->since_us;
	pool_tick(since_us + 4000000);
	assert_int_equal(sandbox_counts[SANDBOX_WARMING], 1);
	pool_tick(since_us + 4000001);
	assert_int_equal(sandbox_counts[SANDBOX_WARMING], 0);
	assert_non_null(strstr(version_of(&f)->min_warm_problem, "init_timeout_ms"));
}

static void one_that_ends_as_soon_as_it_has_loaded_its_code_is_not_replaced_at_once(void **state)
{
	AUTO(function_free) struct function f = kept("short-lived", 1);

	(void)state;
	wait_for_idle(&f, 1);
	fake_container_hang_up(rig.engine->containers);
	WAIT_FOR(sandbox_total() == 0);
	assert_int_equal(version_of(&f)->min_warm_failures, 1);
	rig_barrier();
	assert_int_equal(sandbox_total(), 0);
}

static void what_is_printed_while_code_loads_does_not_block_it(void **state)
{
	AUTO(function_free) struct function f = kept("prints", 1);
	char text[4096];
	int64_t printed = 0;

	(void)state;
	agents.manner = SAYS_NOTHING;
	WAIT_FOR(agents.inits == 1);
	memset(text, 'x', sizeof(text));
	while (printed < 1 << 20) {
		ssize_t n = send(rig.engine->containers->log_fd, text, sizeof(text), MSG_DONTWAIT);
		printed += MAX(n, 0);
		rig_turn();
	}
	say(rig.engine->containers, FRAME_READY, "{}");
	wait_for_idle(&f, 1);
}

static void what_is_printed_while_code_loads_goes_to_the_first_invocation(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = kept("prints a line", 1);

	(void)state;
	agents.manner = SAYS_NOTHING;
	WAIT_FOR(agents.inits == 1);
	assert_int_equal(send(rig.engine->containers->log_fd, "loading\n", 8, 0), 8);
	WAIT_FOR(sandbox_lists[SANDBOX_WARMING]->loaded.texts[PRINTED_STDOUT].len == 8);
	say(rig.engine->containers, FRAME_READY, "{}");
	wait_for_idle(&f, 1);
	struct grant g = worker_take(&w, f.name);
	assert_string_equal(g.loaded_out, "loading\n");
	worker_release(&w, g.lease_id, false);
	g = worker_take(&w, f.name);
	assert_string_equal(g.loaded_out, "");
	worker_release(&w, g.lease_id, false);
}

static void without_postgresql_they_are_kept_and_what_changed_meanwhile_is_asked_for(void **state)
{
	AUTO(function_free) struct function f = kept("while postgresql was away", 1);

	(void)state;
	wait_for_idle(&f, 1);
	pg_scratch_stop(pg);
	WAIT_FOR(!store_is_up());
	die_long_after_loading(sandbox_lists[SANDBOX_IDLE]);
	wait_for_idle(&f, 1); /* all that is needed is here */
	pg_scratch_start(pg);
	drop(&f); /* which is not heard of */
	WAIT_FOR(store_is_up());
	WAIT_FOR(kept_functions() == 0);
	tick(clock_mono_us() + 2 * rig.conf->pool_idle_timeout_ms * 1000);
	WAIT_FOR(sandbox_total() == 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, with_agents, nothing_is_kept)
	const struct CMUnitTest tests[] = {
		TEST(a_function_is_loaded_before_anybody_calls_it),
		TEST(one_that_is_not_to_be_kept_is_not_even_looked_at),
		TEST(what_is_kept_takes_spares_and_they_are_made_good),
		TEST(what_is_kept_outlives_its_time_and_what_is_beyond_does_not),
		TEST(what_is_kept_is_not_evicted_when_the_node_is_full),
		TEST(all_together_are_kept_what_the_settings_allow_and_the_rest_is_told),
		TEST(one_that_is_kept_is_no_problem_from_the_start),
		TEST(when_all_else_is_busy_a_request_gets_what_is_kept_for_others),
		TEST(a_large_request_gets_the_room_of_several_that_are_kept),
		TEST(one_that_dies_is_replaced),
		TEST(a_new_version_is_loaded_and_the_old_one_goes),
		TEST(how_many_are_kept_can_be_changed_and_a_deleted_function_keeps_none),
		TEST(what_a_request_needs_comes_first_and_counts),
		TEST(a_request_waits_for_what_is_being_loaded),
		TEST(code_that_does_not_load_is_told_and_tried_again_with_growing_pauses),
		TEST(code_that_takes_too_long_to_load_is_given_up),
		TEST(one_that_ends_as_soon_as_it_has_loaded_its_code_is_not_replaced_at_once),
		TEST(what_is_printed_while_code_loads_does_not_block_it),
		TEST(what_is_printed_while_code_loads_goes_to_the_first_invocation),
		TEST(without_postgresql_they_are_kept_and_what_changed_meanwhile_is_asked_for),
	};

	return cmocka_run_group_tests(tests, stored_set_up, stored_tear_down);
}
