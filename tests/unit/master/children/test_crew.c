#include "master/children/crew.h"

#include <fcntl.h>
#include <signal.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

/* A crew of processes that only wait for a signal. */
struct fixture {
	struct crew *crew;
	int board_fd;
};

static struct fixture f;

static int set_up(void **state)
{
	(void)state;
	log_init("test", LOG_ERROR + 1); /* the lines about ended children are not looked at */
	f.crew = mem_alloc(sizeof(*f.crew));
	return scoreboard_create(CREW_SLOTS, &f.crew->board, &f.board_fd, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	for (int role = 0; role < CHILD_ROLE_COUNT; role++)
		crew_signal(f.crew, (enum child_role)role, SIGKILL);
	scoreboard_close(&f.crew->board);
	fd_close(&f.board_fd);
	mem_free(&f.crew);
	return 0;
}

static int start(enum child_role role, unsigned generation, enum slot_state state)
{
	int slot = crew_free_slot(f.crew);
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	crew_add(f.crew, slot, role, generation, pid);
	scoreboard_slot(f.crew->board, slot)->state = state;
	return slot;
}

/* Waits for the next death of one in the table; the tests before may have left others. */
static struct crew_death bury(void)
{
	struct crew_death death = {0};

	for (int i = 0; i < 500; i++) {
		if (!crew_reap(f.crew, &death))
			usleep(10000);
		else if (death.role != CHILD_ROLE_COUNT)
			return death;
	}
	fail_msg("nobody died");
	return death;
}

static void slots_are_given_from_the_lowest_and_cleared(void **state)
{
	(void)state;
	assert_int_equal(start(CHILD_INVOKE, 0, SLOT_IDLE), 0);
	assert_int_equal(start(CHILD_INVOKE, 0, SLOT_IDLE), 1);
	scoreboard_slot(f.crew->board, 0)->requests = 9;
	scoreboard_slot(f.crew->board, 0)->has_turn = 1;
	kill(f.crew->members[0].pid, SIGKILL);
	bury();
	assert_int_equal(scoreboard_slot(f.crew->board, 0)->state, SLOT_FREE);
	assert_int_equal(scoreboard_slot(f.crew->board, 0)->has_turn, 0);
	scoreboard_slot(f.crew->board, 0)->has_turn = 1; /* nothing is left for the next one, whoever wrote it */
	assert_int_equal(crew_free_slot(f.crew), 0);
	assert_int_equal(scoreboard_slot(f.crew->board, 0)->state, SLOT_STARTING);
	assert_int_equal(scoreboard_slot(f.crew->board, 0)->requests, 0);
	assert_int_equal(scoreboard_slot(f.crew->board, 0)->has_turn, 0);
}

static void everybody_can_see_how_many_slots_were_ever_in_use(void **state)
{
	(void)state;
	assert_int_equal(scoreboard_used(f.crew->board), 0);
	for (int i = 0; i < 3; i++) {
		int slot = start(CHILD_INVOKE, 0, SLOT_IDLE);
		assert_int_equal(scoreboard_used(f.crew->board), slot + 1);
	}
	kill(f.crew->members[0].pid, SIGKILL);
	bury();
	assert_int_equal(start(CHILD_INVOKE, 0, SLOT_IDLE), 0);
	assert_int_equal(scoreboard_used(f.crew->board), 3);
}

static void only_the_role_and_generation_asked_for_is_counted(void **state)
{
	(void)state;
	start(CHILD_INVOKE, 1, SLOT_STARTING);
	start(CHILD_INVOKE, 1, SLOT_IDLE);
	start(CHILD_INVOKE, 1, SLOT_BUSY);
	start(CHILD_INVOKE, 0, SLOT_IDLE);
	start(CHILD_CONTROL, 1, SLOT_IDLE);
	crew_stop(f.crew, start(CHILD_INVOKE, 1, SLOT_IDLE), INT64_MAX);
	struct sizing_count count = crew_count(f.crew, CHILD_INVOKE, 1);
	assert_int_equal(count.starting, 1);
	assert_int_equal(count.idle, 1);
	assert_int_equal(count.busy, 1);
}

static void a_state_nobody_knows_counts_as_busy(void **state)
{
	(void)state;
	scoreboard_slot(f.crew->board, start(CHILD_INVOKE, 0, SLOT_IDLE))->state = 4711;
	assert_int_equal(crew_count(f.crew, CHILD_INVOKE, 0).busy, 1);
}

static void a_death_says_who_it_was_and_whether_it_was_asked_for(void **state)
{
	(void)state;
	int asked = start(CHILD_CONTROL, 0, SLOT_IDLE);
	crew_stop(f.crew, asked, INT64_MAX);
	struct crew_death death = bury();
	assert_int_equal(death.role, CHILD_CONTROL);
	assert_true(death.asked);
	assert_false(death.success);
	kill(f.crew->members[start(CHILD_POOLMGR, 0, SLOT_IDLE)].pid, SIGKILL);
	death = bury();
	assert_int_equal(death.role, CHILD_POOLMGR);
	assert_string_equal(death.how, "was killed by SIGKILL");
	assert_false(death.asked);
	assert_false(crew_has(f.crew, CHILD_POOLMGR));
}

static void only_a_death_that_should_not_be_counts_as_a_failure(void **state)
{
	(void)state;
	crew_stop(f.crew, start(CHILD_INVOKE, 0, SLOT_IDLE), INT64_MAX);
	bury();
	assert_int_equal(scoreboard_sum(f.crew->board, CHILD_INVOKE).failures, 0);
	for (int i = 1; i <= 2; i++) {
		kill(f.crew->members[start(CHILD_INVOKE, 0, SLOT_IDLE)].pid, SIGKILL);
		bury();
		assert_int_equal(scoreboard_sum(f.crew->board, CHILD_INVOKE).failures, i);
	}
	assert_int_equal(scoreboard_sum(f.crew->board, CHILD_CONTROL).failures, 0);
}

static void a_process_that_is_not_in_the_table_is_collected_too(void **state)
{
	struct crew_death death = {0};

	(void)state;
	pid_t pid = fork();
	if (pid == 0)
		_exit(3);
	while (death.pid != pid)
		if (!crew_reap(f.crew, &death))
			usleep(1000);
	assert_int_equal(death.role, CHILD_ROLE_COUNT);
	assert_string_equal(death.how, "exited with status 3");
	assert_false(crew_reap(f.crew, &death));
}

static void only_an_idle_one_is_chosen_when_a_pool_shrinks(void **state)
{
	(void)state;
	start(CHILD_INVOKE, 0, SLOT_IDLE);
	int chosen = start(CHILD_INVOKE, 0, SLOT_IDLE);
	start(CHILD_INVOKE, 0, SLOT_BUSY);
	start(CHILD_CONTROL, 0, SLOT_IDLE);
	crew_stop_idle(f.crew, CHILD_INVOKE);
	for (int i = 0; i < 4; i++)
		assert_int_equal(f.crew->members[i].stopping, i == chosen);
	assert_true(f.crew->members[chosen].kill_at_us == INT64_MAX);
}

static void older_generations_are_stopped_and_the_new_one_goes_on(void **state)
{
	(void)state;
	int older = start(CHILD_INVOKE, 1, SLOT_BUSY), newer = start(CHILD_INVOKE, 2, SLOT_IDLE);
	crew_stop_older(f.crew, CHILD_INVOKE, 2, 1000);
	assert_true(f.crew->members[older].stopping);
	assert_int_equal(f.crew->members[older].kill_at_us, 1000);
	assert_false(f.crew->members[newer].stopping);
}

static void who_does_not_finish_in_time_is_killed(void **state)
{
	(void)state;
	int slot = crew_free_slot(f.crew);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGTERM, SIG_IGN);
		scoreboard_slot(f.crew->board, slot)->state = SLOT_IDLE;
		for (;;)
			pause();
	}
	crew_add(f.crew, slot, CHILD_INVOKE, 0, pid);
	while (scoreboard_slot(f.crew->board, slot)->state != SLOT_IDLE)
		usleep(1000);
	int64_t now_us = clock_mono_us();
	crew_stop(f.crew, slot, now_us + 1000);
	crew_kill_late(f.crew, now_us);
	assert_true(crew_has(f.crew, CHILD_INVOKE));
	assert_true(f.crew->members[slot].kill_at_us == now_us + 1000);
	crew_kill_late(f.crew, now_us + 1000);
	bury();
	assert_false(crew_has(f.crew, CHILD_INVOKE));
}

static void a_hurry_concerns_only_those_who_are_stopping(void **state)
{
	(void)state;
	int stopping = start(CHILD_INVOKE, 0, SLOT_IDLE), working = start(CHILD_COLLECTOR, 0, SLOT_IDLE);
	crew_stop(f.crew, stopping, INT64_MAX);
	crew_hurry(f.crew);
	assert_int_equal(f.crew->members[stopping].kill_at_us, 0);
	assert_true(f.crew->members[working].kill_at_us == INT64_MAX);
}

#define CREW_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#define STUCK_AFTER_US 5000000
#define LOOKS          (STUCK_AFTER_US / CREW_LOOK_US)

/* So many looks, each a moment after it is due; beats: those that move in between. */
static void look(int64_t *now_us, int looks, const int *beats, int count)
{
	for (int i = 0; i < looks; i++) {
		for (int k = 0; k < count; k++)
			scoreboard_slot(f.crew->board, beats[k])->beat_us++;
		*now_us += CREW_LOOK_US;
		crew_kill_stuck(f.crew, *now_us, STUCK_AFTER_US);
	}
}

static bool is_alive(int slot)
{
	return f.crew->members[slot].stuck_us == 0;
}

static void who_does_not_move_is_killed_and_the_log_says_why(void **state)
{
	(void)state;
	int poolmgr = start(CHILD_POOLMGR, 0, SLOT_IDLE), warden = start(CHILD_WARDEN, 0, SLOT_IDLE);
	int64_t now_us = clock_mono_us();

	look(&now_us, 3 * LOOKS, (int[]){poolmgr, warden}, 2);
	look(&now_us, LOOKS - 1, (int[]){warden}, 1);
	assert_true(is_alive(poolmgr));
	look(&now_us, 1, (int[]){warden}, 1);
	assert_false(is_alive(poolmgr));
	assert_true(is_alive(warden));
	struct crew_death death = bury();
	assert_int_equal(death.role, CHILD_POOLMGR);
	assert_false(death.asked || death.success);
	assert_string_equal(death.how, "was killed, for it had not moved for 5.0 s,");
}

static void one_beat_is_enough_to_be_alive(void **state)
{
	(void)state;
	int poolmgr = start(CHILD_POOLMGR, 0, SLOT_IDLE);
	int64_t now_us = clock_mono_us();

	for (int i = 0; i < 5; i++) {
		look(&now_us, LOOKS - 1, NULL, 0);
		look(&now_us, 1, &poolmgr, 1);
	}
	assert_true(is_alive(poolmgr));
}

/* A machine that slept, or had no time for the master either. */
static void time_that_the_master_did_not_see_pass_does_not_count(void **state)
{
	(void)state;
	int poolmgr = start(CHILD_POOLMGR, 0, SLOT_IDLE);
	int64_t now_us = clock_mono_us();

	look(&now_us, LOOKS - 2, NULL, 0);
	now_us += INT64_C(3600000000);
	crew_kill_stuck(f.crew, now_us, STUCK_AFTER_US);
	assert_true(is_alive(poolmgr));
	for (int i = 0; i < 1000; i++) /* called more often than it looks */
		crew_kill_stuck(f.crew, now_us + i, STUCK_AFTER_US);
	assert_true(is_alive(poolmgr));
}

static void who_may_wait_for_a_disk_has_more_time_and_who_has_no_heartbeat_all(void **state)
{
	(void)state;
	int collector = start(CHILD_COLLECTOR, 0, SLOT_IDLE), worker = start(CHILD_INVOKE, 0, SLOT_BUSY);
	int64_t now_us = clock_mono_us();

	look(&now_us, 6 * LOOKS - 1, NULL, 0);
	assert_true(is_alive(collector));
	look(&now_us, 2, NULL, 0);
	assert_false(is_alive(collector));
	look(&now_us, 60 * LOOKS, NULL, 0);
	assert_true(is_alive(worker));
}

static void nobody_is_killed_when_the_setting_says_never_or_who_is_to_stop_anyway(void **state)
{
	(void)state;
	int poolmgr = start(CHILD_POOLMGR, 0, SLOT_IDLE), warden = start(CHILD_WARDEN, 0, SLOT_IDLE);
	int64_t now_us = clock_mono_us();

	for (int i = 0; i < 10 * LOOKS; i++)
		crew_kill_stuck(f.crew, now_us += CREW_LOOK_US, 0);
	assert_true(is_alive(poolmgr) && is_alive(warden));
	crew_stop(f.crew, poolmgr, INT64_MAX);
	look(&now_us, 10 * LOOKS, &warden, 1);
	assert_true(is_alive(poolmgr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CREW_TEST(slots_are_given_from_the_lowest_and_cleared),
		CREW_TEST(everybody_can_see_how_many_slots_were_ever_in_use),
		CREW_TEST(only_the_role_and_generation_asked_for_is_counted),
		CREW_TEST(a_state_nobody_knows_counts_as_busy),
		CREW_TEST(a_death_says_who_it_was_and_whether_it_was_asked_for),
		CREW_TEST(only_a_death_that_should_not_be_counts_as_a_failure),
		CREW_TEST(a_process_that_is_not_in_the_table_is_collected_too),
		CREW_TEST(only_an_idle_one_is_chosen_when_a_pool_shrinks),
		CREW_TEST(older_generations_are_stopped_and_the_new_one_goes_on),
		CREW_TEST(who_does_not_finish_in_time_is_killed),
		CREW_TEST(who_does_not_move_is_killed_and_the_log_says_why),
		CREW_TEST(one_beat_is_enough_to_be_alive),
		CREW_TEST(time_that_the_master_did_not_see_pass_does_not_count),
		CREW_TEST(who_may_wait_for_a_disk_has_more_time_and_who_has_no_heartbeat_all),
		CREW_TEST(nobody_is_killed_when_the_setting_says_never_or_who_is_to_stop_anyway),
		CREW_TEST(a_hurry_concerns_only_those_who_are_stopping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
