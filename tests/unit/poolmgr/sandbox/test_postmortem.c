/* How a leased sandbox ended, asked by its worker over a real connection, answered by a fake Docker Engine. */
#include "tests/unit/poolmgr/pool_rig.h"

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/pool/pool.h"
#include "poolmgr/sandbox/postmortem.h"

/* A leased sandbox, and the time stands still: nothing but what the test does makes poolmgr look. */
static struct sandbox *leased(struct worker *w, struct grant *g)
{
	AUTO(function_free) struct function f = function_new("mortal");

	*g = check_function(w, &f);
	rig.tick = NULL;
	return sandbox_find(g->sandbox_id);
}

static struct fake_container *container_of(const struct grant *g)
{
	return fake_docker_find(rig.engine, g->sandbox_id);
}

static void assert_found(struct worker *w, uint64_t seq, bool out_of_memory, uint32_t exit_code)
{
	struct finding f = worker_finding(w, seq);

	assert_true(f.known);
	assert_int_equal(f.out_of_memory, out_of_memory);
	assert_int_equal(f.exit_code, exit_code);
}

static void assert_unknown(struct worker *w, uint64_t seq)
{
	struct finding f = worker_finding(w, seq);

	assert_false(f.known);
	assert_false(f.out_of_memory);
	assert_int_equal(f.exit_code, 0);
}

static void an_end_docker_told_before_the_question_is_answered_at_once(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct grant g;

	(void)state;
	struct sandbox *s = leased(&w, &g);
	container_of(&g)->exit_code = 3;
	fake_docker_die(rig.engine, g.sandbox_id, true);
	WAIT_FOR(s->exit_code == 3);
	assert_found(&w, worker_postmortem(&w, g.lease_id), false, 3);
	assert_int_equal(s->state, SANDBOX_LEASED); /* until its worker gives it back */
	assert_found(&w, worker_postmortem(&w, g.lease_id), false, 3);
}

static void a_question_waits_for_docker_to_tell_the_end(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct grant g;

	(void)state;
	struct sandbox *s = leased(&w, &g);
	container_of(&g)->oom_killed = true;
	fake_container_hang_up(container_of(&g)); /* the agent is gone some milliseconds before Docker says so */
	WAIT_FOR(s->dead);
	rig.engine->calls[FAKE_INSPECT] = 0;
	uint64_t seq = worker_postmortem(&w, g.lease_id);
	WAIT_FOR(s->postmortem_seq == seq);
	rig_barrier();
	assert_false(worker_has_message(&w));
	assert_int_equal(rig.engine->calls[FAKE_INSPECT], 0);
	fake_docker_die(rig.engine, g.sandbox_id, true);
	assert_found(&w, seq, true, 137);
	assert_int_equal(rig.engine->calls[FAKE_INSPECT], 1);
}

static void an_end_docker_never_tells_is_asked_for_after_a_while(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct grant g;

	(void)state;
	struct sandbox *s = leased(&w, &g);
	container_of(&g)->exit_code = 1;
	fake_docker_die(rig.engine, g.sandbox_id, false);
	WAIT_FOR(s->dead);
	uint64_t seq = worker_postmortem(&w, g.lease_id);
	WAIT_FOR(s->postmortem_us != 0);
	postmortem_tick(s->postmortem_us - 1);
	rig_barrier();
	assert_false(worker_has_message(&w));
	postmortem_tick(s->postmortem_us);
	assert_found(&w, seq, false, 1);
}

static void nothing_is_known_of_a_container_that_still_runs_after_the_wait(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct grant g;

	(void)state;
	struct sandbox *s = leased(&w, &g);
	fake_container_hang_up(container_of(&g));
	rig.tick = pool_tick;
	int64_t start_us = clock_mono_us();
	assert_unknown(&w, worker_postmortem(&w, g.lease_id));
	assert_true(clock_mono_us() - start_us >= 400000); /* it had its time to end */
	assert_int_equal(s->state, SANDBOX_LEASED);
	worker_assert_silent(&w); /* once */
}

/* In the ways in which an engine can fail to. */
static const struct fake_manner says_nothing[] = {
	{.status = 404, .body = "{\"message\":\"No such container\"}"},
	{.status = 500, .body = "{\"message\":\"busy\"}"},
	{.status = 200, .body = "{}"},
	{.status = 200, .body = "{\"State\":{\"Running\":true}}"},
	{.raw = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"},
};

static void an_end_that_is_known_is_told_though_docker_does_not_say_more(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct grant g;

	(void)state;
	struct sandbox *s = leased(&w, &g);
	fake_docker_die(rig.engine, g.sandbox_id, true);
	WAIT_FOR(s->exit_code == 137);
	for (size_t i = 0; i < ARRAY_SIZE(says_nothing); i++) {
		rig.engine->manner[FAKE_INSPECT] = says_nothing[i];
		assert_found(&w, worker_postmortem(&w, g.lease_id), false, 137);
	}
	rig.engine->manner[FAKE_INSPECT] = (struct fake_manner){.hold = true};
	uint64_t seq = worker_postmortem(&w, g.lease_id);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_INSPECT) == 1);
	postmortem_tick(s->postmortem_end_us);
	assert_found(&w, seq, false, 137);
	rig.engine->manner[FAKE_INSPECT] = (struct fake_manner){0};
	fake_docker_let_go(rig.engine, FAKE_INSPECT);
	rig_barrier();
	worker_assert_silent(&w); /* once */
}

/* Killed altogether, and Docker Engine has no time to notice: it is asked again until it has. */
static void what_has_ended_altogether_is_asked_for_until_docker_knows(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct grant g;

	(void)state;
	struct sandbox *s = leased(&w, &g);
	fake_container_hang_up(container_of(&g));
	fd_close(&container_of(&g)->end_fd);
	WAIT_FOR(s->launcher_gone);
	uint64_t seq = worker_postmortem(&w, g.lease_id);
	for (size_t i = 0; i < ARRAY_SIZE(says_nothing); i++) {
		WAIT_FOR(s->postmortem_us != 0);
		rig.engine->manner[FAKE_INSPECT] = says_nothing[i];
		postmortem_tick(s->postmortem_us);
		assert_false(worker_has_message(&w));
	}
	WAIT_FOR(s->postmortem_us != 0);
	rig.engine->manner[FAKE_INSPECT] = (struct fake_manner){0};
	container_of(&g)->exit_code = 139;
	fake_docker_die(rig.engine, g.sandbox_id, false);
	postmortem_tick(s->postmortem_us);
	assert_found(&w, seq, false, 139);
}

static void in_the_end_a_worker_is_told_that_nothing_is_known(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct grant g;

	(void)state;
	struct sandbox *s = leased(&w, &g);
	fake_container_hang_up(container_of(&g));
	fd_close(&container_of(&g)->end_fd);
	WAIT_FOR(s->launcher_gone);
	uint64_t seq = worker_postmortem(&w, g.lease_id);
	WAIT_FOR(s->postmortem_seq == seq);
	postmortem_tick(s->postmortem_end_us);
	assert_unknown(&w, seq);
}

static void what_the_launcher_says_need_not_be_asked(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(worker_close) struct worker other = worker_connect();
	struct grant before, after;

	(void)state;
	struct sandbox *s = leased(&w, &before);
	rig.engine->calls[FAKE_INSPECT] = 0;
	fake_container_hang_up(container_of(&before));
	fake_container_say_end(container_of(&before), 3);
	WAIT_FOR(s->exit_code == 3);
	assert_found(&w, worker_postmortem(&w, before.lease_id), false, 3);

	rig.tick = pool_tick;
	s = leased(&other, &after);
	rig.engine->calls[FAKE_INSPECT] = 0;
	fake_container_hang_up(container_of(&after));
	uint64_t seq = worker_postmortem(&other, after.lease_id);
	WAIT_FOR(s->postmortem_seq == seq);
	fake_container_say_end(container_of(&after), 139);
	assert_found(&other, seq, false, 139);
	assert_int_equal(rig.engine->calls[FAKE_INSPECT], 0);
}

static void docker_is_asked_whether_a_kill_that_the_launcher_tells_was_for_memory(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct grant g;

	(void)state;
	leased(&w, &g);
	fake_container_hang_up(container_of(&g));
	fake_container_say_end(container_of(&g), 137);
	assert_found(&w, worker_postmortem(&w, g.lease_id), false, 137); /* it still runs, says Docker */
	container_of(&g)->oom_killed = true;
	fake_docker_die(rig.engine, g.sandbox_id, false);
	assert_found(&w, worker_postmortem(&w, g.lease_id), true, 137);
}

static void nothing_is_known_of_a_lease_the_worker_does_not_have(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(worker_close) struct worker other = worker_connect();
	struct grant g;

	(void)state;
	struct sandbox *s = leased(&w, &g);
	assert_unknown(&w, worker_postmortem(&w, 12345));
	assert_unknown(&other, worker_postmortem(&other, g.lease_id));
	assert_int_equal(s->postmortem_seq, 0);
	worker_release(&w, g.lease_id, true);
	assert_unknown(&w, worker_postmortem(&w, g.lease_id));
}

static void a_second_question_before_the_first_is_answered_ends_the_connection(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct grant g;

	(void)state;
	leased(&w, &g);
	worker_postmortem(&w, g.lease_id);
	worker_postmortem(&w, 12345);
	worker_wait_for_close(&w);
	WAIT_FOR(sandbox_find(g.sandbox_id) == NULL);
}

static void a_worker_that_goes_meanwhile_is_told_nothing_and_its_sandbox_removed_once_docker_has_answered(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(worker_close) struct worker other = worker_connect();
	struct grant g;

	(void)state;
	struct sandbox *s = leased(&w, &g);
	rig.engine->manner[FAKE_INSPECT].hold = true;
	worker_postmortem(&w, g.lease_id);
	fake_docker_die(rig.engine, g.sandbox_id, true);
	WAIT_FOR(fake_docker_held(rig.engine, FAKE_INSPECT) == 1);
	worker_close(&w);
	WAIT_FOR(s->state == SANDBOX_DYING);
	rig.engine->calls[FAKE_REMOVE] = 0;
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_REMOVE], 0);
	rig.engine->manner[FAKE_INSPECT].hold = false;
	fake_docker_let_go(rig.engine, FAKE_INSPECT);
	WAIT_FOR(sandbox_find(g.sandbox_id) == NULL);
	worker_assert_silent(&other);
}

static void a_worker_that_goes_before_docker_was_asked_leaves_no_question_behind(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	struct grant g;

	(void)state;
	leased(&w, &g);
	rig.engine->calls[FAKE_INSPECT] = 0;
	worker_postmortem(&w, g.lease_id);
	worker_close(&w);
	WAIT_FOR(sandbox_find(g.sandbox_id) == NULL);
	postmortem_tick(INT64_MAX);
	rig_barrier();
	assert_int_equal(rig.engine->calls[FAKE_INSPECT], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_TEST(an_end_docker_told_before_the_question_is_answered_at_once),
		POOL_TEST(a_question_waits_for_docker_to_tell_the_end),
		POOL_TEST(an_end_docker_never_tells_is_asked_for_after_a_while),
		POOL_TEST(nothing_is_known_of_a_container_that_still_runs_after_the_wait),
		POOL_TEST(an_end_that_is_known_is_told_though_docker_does_not_say_more),
		POOL_TEST(what_has_ended_altogether_is_asked_for_until_docker_knows),
		POOL_TEST(in_the_end_a_worker_is_told_that_nothing_is_known),
		POOL_TEST(what_the_launcher_says_need_not_be_asked),
		POOL_TEST(docker_is_asked_whether_a_kill_that_the_launcher_tells_was_for_memory),
		POOL_TEST(nothing_is_known_of_a_lease_the_worker_does_not_have),
		POOL_TEST(a_second_question_before_the_first_is_answered_ends_the_connection),
		POOL_TEST(a_worker_that_goes_meanwhile_is_told_nothing_and_its_sandbox_removed_once_docker_has_answered),
		POOL_TEST(a_worker_that_goes_before_docker_was_asked_leaves_no_question_behind),
	};

	return cmocka_run_group_tests(tests, pool_rig_set_up, pool_rig_tear_down);
}
