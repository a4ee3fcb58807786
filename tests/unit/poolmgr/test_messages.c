/* What workers' messages come to, and what becomes of what a worker has when it is gone. */
#include "tests/unit/poolmgr/pool_rig.h"

#include <sys/socket.h>

#include "base/mem.h"
#include "poolmgr/messages.h"
#include "poolmgr/node/client.h"

#define HELD "0123456789abcdef"

static void what_a_worker_has_of_an_earlier_poolmgr_is_held_until_it_gives_it_back_or_is_gone(void **state)
{
	(void)state;
	for (int way = 0; way < 2; way++) {
		AUTO(worker_close) struct worker w = worker_connect();
		AUTO(worker_close) struct worker other = worker_connect();
		worker_hello(&other, "");
		worker_hello(&w, HELD);
		WAIT_FOR(messages_anyone_holds(HELD));
		worker_close(&other);
		WAIT_FOR(client_count() == 1);
		assert_true(messages_anyone_holds(HELD));
		if (way == 0)
			worker_release(&w, 4711, false);
		else
			worker_close(&w);
		WAIT_FOR(!messages_anyone_holds(HELD));
	}
}

static void what_is_no_id_of_a_sandbox_is_not_held(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	worker_hello(&w, HELD "0");
	worker_assert_silent(&w);
	assert_false(messages_anyone_holds(HELD "0"));
	assert_false(messages_anyone_holds(HELD));
	assert_false(messages_anyone_holds(""));
}

static void a_worker_that_was_closed_loses_its_leases(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	AUTO(function_free) struct function f = function_new("loses");

	(void)state;
	struct grant g = check_function(&w, &f);
	assert_int_equal(send(w.fd, "\xff", 1, MSG_NOSIGNAL), 1);
	worker_wait_for_close(&w);
	WAIT_FOR(sandbox_find(g.sandbox_id) == NULL);
}

static void a_worker_has_as_many_sandboxes_as_it_keeps_and_one_in_hand(void **state)
{
	AUTO(function_free) struct function f = function_new("hoards");
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	for (int i = 0; i <= IPC_KEPT_MAX; i++)
		check_function(&w, &f);
	assert_int_equal(w.count, 1);
	assert_int_equal(sandbox_counts[SANDBOX_LEASED], IPC_KEPT_MAX + 1);
	worker_check_at_once(&w, &f);
	worker_wait_for_close(&w);
	WAIT_FOR(sandbox_total() == 0);
}

static void what_is_longer_than_any_name_is_no_function(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();
	char *name = mem_alloc(100001);

	(void)state;
	memset(name, 'a', 100000);
	assert_int_equal(worker_denied(&w, worker_lease(&w, name, 0)).code, PROBLEM_NOT_FOUND);
	free(name);
}

static void an_invalidation_is_answered_even_for_a_function_nobody_knows(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	worker_done(&w, worker_invalidate(&w, "0198c0de-0000-7000-8000-000000000001", 7));
	worker_done(&w, worker_invalidate(&w, "0198c0de-0000-7000-8000-000000000001", 0));
}

static void without_postgresql_a_lease_is_denied_in_words(void **state)
{
	AUTO(worker_close) struct worker w = worker_connect();

	(void)state;
	struct denial d = worker_denied(&w, worker_lease(&w, "any", 0));
	assert_int_equal(d.code, PROBLEM_STORE_UNAVAILABLE);
	assert_non_null(strstr(d.detail, "PostgreSQL cannot be reached"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_TEST(what_a_worker_has_of_an_earlier_poolmgr_is_held_until_it_gives_it_back_or_is_gone),
		POOL_TEST(what_is_no_id_of_a_sandbox_is_not_held),
		POOL_TEST(a_worker_that_was_closed_loses_its_leases),
		POOL_TEST(a_worker_has_as_many_sandboxes_as_it_keeps_and_one_in_hand),
		POOL_TEST(what_is_longer_than_any_name_is_no_function),
		POOL_TEST(an_invalidation_is_answered_even_for_a_function_nobody_knows),
		POOL_TEST(without_postgresql_a_lease_is_denied_in_words),
	};

	return cmocka_run_group_tests(tests, pool_rig_set_up, pool_rig_tear_down);
}
