/* Threads, of which each kind has its own queue. */
#include "poolmgr/node/work.h"

#include <pthread.h>

#include "tests/unit/poolmgr/rig.h"
#include "tests/unit/poolmgr/threads.h"

#define JOBS 20

static struct job {
	struct work work;
	pthread_t ran_in;
	int place; /* the order in which it ended, from 1 on; 0: it has not ended */
} jobs[JOBS];
static int ended;

static void run(struct work *work)
{
	((struct job *)work)->ran_in = pthread_self();
}

static void after(struct work *work)
{
	((struct job *)work)->place = ++ended;
}

static int each(void **state)
{
	int rc = engine_rig_each(state);

	work_init(rig.loop);
	ended = 0;
	for (int i = 0; i < JOBS; i++)
		jobs[i] = (struct job){.work = {run, after, NULL, NULL}, .ran_in = pthread_self()};
	return rc;
}

static void work_is_done_in_a_thread_and_ends_on_the_loop(void **state)
{
	(void)state;
	for (enum work_kind kind = 0; kind < WORK_KINDS; kind++)
		work_begin(kind, &jobs[kind].work);
	assert_int_equal(ended, 0); /* never before the loop runs */
	WAIT_FOR(ended == WORK_KINDS);
	for (enum work_kind kind = 0; kind < WORK_KINDS; kind++)
		assert_false(pthread_equal(jobs[kind].ran_in, pthread_self()));
}

static void first_come_is_first_served(void **state)
{
	(void)state;
	assert_int_equal(work_threads(WORK_CHORE), 1);
	for (int i = 0; i < JOBS; i++)
		work_begin(WORK_CHORE, &jobs[i].work);
	WAIT_FOR(ended == JOBS);
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].place, i + 1);
}

static void no_kind_of_work_waits_for_another(void **state)
{
	(void)state;
	for (enum work_kind busy = 0; busy < WORK_KINDS; busy++) {
		ended = 0;
		threads_stop_of(busy, busy);
		work_begin(busy, &jobs[busy].work);
		for (enum work_kind kind = 0; kind < WORK_KINDS; kind++)
			if (kind != busy)
				work_begin(kind, &jobs[kind].work);
		WAIT_FOR(ended == WORK_KINDS - 1);
		threads_go_on();
		WAIT_FOR(ended == WORK_KINDS);
		assert_int_equal(jobs[busy].place, WORK_KINDS);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, each)
	const struct CMUnitTest tests[] = {
		TEST(work_is_done_in_a_thread_and_ends_on_the_loop),
		TEST(first_come_is_first_served),
		TEST(no_kind_of_work_waits_for_another),
	};

	return cmocka_run_group_tests(tests, engine_rig_set_up, engine_rig_tear_down);
}
