#include "worker/turn.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "master/children/crew.h"
#include "tests/unit/unit.h"

#define SLOTS 6

struct fixture {
	struct scoreboard *board;
	int board_fd, wake_fd;
	struct turn turns[SLOTS];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(scoreboard_create(SLOTS, &f->board, &f->board_fd, NULL), 0);
	scoreboard_set_used(f->board, SLOTS);
	f->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (int i = 0; i < SLOTS; i++)
		f->turns[i] = (struct turn){f->board, scoreboard_slot(f->board, i), 2, f->wake_fd};
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	scoreboard_close(&f->board);
	fd_close(&f->board_fd);
	fd_close(&f->wake_fd);
	free(f);
	return 0;
}

static void set_limit(struct fixture *f, int limit)
{
	for (int i = 0; i < SLOTS; i++)
		f->turns[i].limit = limit;
}

/* Who has one, as a row of digits. */
static void assert_turns(struct fixture *f, const char *expected)
{
	char found[SLOTS + 1] = "";

	for (int i = 0; i < SLOTS; i++)
		found[i] = turn_has(&f->turns[i]) ? '1' : '0';
	assert_string_equal(found, expected);
}

/* Makes it so, whatever the limit. */
static void give_turns(struct fixture *f, const char *turns)
{
	for (int i = 0; i < SLOTS; i++)
		atomic_store(&f->turns[i].slot->has_turn, turns[i] == '1');
}

/* Takes the wakes there are: how many were written since the last look. */
static int take_wakes(const struct fixture *f)
{
	eventfd_t value;

	return eventfd_read(f->wake_fd, &value) < 0 ? 0 : (int)value;
}

static void there_are_as_many_as_the_limit_says(void **state)
{
	struct fixture *f = *state;

	assert_false(turn_has(&f->turns[3]));
	assert_true(turn_take(&f->turns[3]));
	assert_true(turn_take(&f->turns[1]));
	assert_false(turn_take(&f->turns[0]));
	assert_false(turn_take(&f->turns[5]));
	assert_turns(f, "010100");
	assert_true(turn_take(&f->turns[3])); /* the same one again */
	assert_turns(f, "010100");
	assert_int_equal(take_wakes(f), 0);
}

static void without_a_limit_everybody_has_one(void **state)
{
	struct fixture *f = *state;

	set_limit(f, 0);
	for (int i = 0; i < SLOTS; i++) {
		assert_true(turn_has(&f->turns[i]));
		assert_true(turn_take(&f->turns[i]));
		turn_pass(&f->turns[i]);
		assert_true(turn_has(&f->turns[i]));
		assert_int_equal(scoreboard_slot(f->board, i)->has_turn, 0);
	}
	assert_int_equal(take_wakes(f), 0);
}

static void passing_one_on_wakes_once(void **state)
{
	struct fixture *f = *state;

	give_turns(f, "110000");
	turn_pass(&f->turns[0]);
	assert_turns(f, "010000");
	assert_int_equal(take_wakes(f), 1);
	turn_pass(&f->turns[0]); /* has none */
	turn_pass(&f->turns[4]);
	assert_int_equal(take_wakes(f), 0);
}

static void nobody_is_woken_while_there_are_too_many(void **state)
{
	struct fixture *f = *state;

	give_turns(f, "111000");
	turn_pass(&f->turns[1]);
	assert_turns(f, "101000");
	assert_int_equal(take_wakes(f), 0);
	turn_pass(&f->turns[0]);
	assert_int_equal(take_wakes(f), 1);
}

static void who_is_woken_takes_it(void **state)
{
	struct fixture *f = *state;

	give_turns(f, "110000");
	turn_pass(&f->turns[1]);
	assert_true(turn_on_wake(&f->turns[5]));
	assert_turns(f, "100001");
	assert_int_equal(take_wakes(f), 0);
}

static void who_is_woken_too_late_goes_without_and_is_not_woken_for_ever(void **state)
{
	struct fixture *f = *state;

	give_turns(f, "110000");
	turn_pass(&f->turns[1]);
	assert_true(turn_take(&f->turns[1]));
	assert_false(turn_on_wake(&f->turns[5]));
	assert_turns(f, "110000");
	assert_int_equal(take_wakes(f), 0);
}

static void a_wake_that_somebody_else_took_changes_nothing(void **state)
{
	struct fixture *f = *state;

	assert_false(turn_on_wake(&f->turns[0]));
	assert_turns(f, "000000");
	give_turns(f, "100000");
	assert_true(turn_on_wake(&f->turns[0]));
	assert_turns(f, "100000");
}

/* Two wakes are one readable descriptor. */
static void two_that_were_passed_on_reach_two(void **state)
{
	struct fixture *f = *state;

	give_turns(f, "110000");
	turn_pass(&f->turns[0]);
	turn_pass(&f->turns[1]);
	assert_true(turn_on_wake(&f->turns[4]));
	assert_true(turn_on_wake(&f->turns[5]));
	assert_turns(f, "000011");
	assert_int_equal(take_wakes(f), 0);
}

static void of_two_who_took_the_last_one_the_first_on_the_board_keeps_it(void **state)
{
	struct fixture *f = *state;

	set_limit(f, 1);
	give_turns(f, "001010"); /* both found it free at the same moment */
	assert_false(turn_take(&f->turns[4]));
	assert_true(turn_take(&f->turns[2]));
	assert_turns(f, "001000");
	give_turns(f, "001010");
	assert_true(turn_take(&f->turns[2]));
	assert_false(turn_take(&f->turns[4]));
	assert_turns(f, "001000");
}

/* What two processes share that take turns at the same moment. */
struct race {
	_Atomic int arrived;
	_Atomic int failed;
};

#define ROUNDS 2000

static void meet(struct race *race, int phase)
{
	atomic_fetch_add(&race->arrived, 1);
	while (atomic_load(&race->arrived) < 2 * phase && !atomic_load(&race->failed))
		sched_yield();
}

static int count_turns(const struct fixture *f)
{
	int count = 0;

	for (int i = 0; i < SLOTS; i++)
		count += turn_has(&f->turns[i]);
	return count;
}

static void run_race(struct fixture *f, int me, struct race *race)
{
	int phase = 0;

	for (int i = 0; i < ROUNDS && !atomic_load(&race->failed); i++) {
		meet(race, ++phase);
		turn_take(&f->turns[me]);
		meet(race, ++phase);
		turn_take(&f->turns[me]); /* a second look; the first may leave one too many */
		meet(race, ++phase);
		if (count_turns(f) != 1)
			atomic_store(&race->failed, 1);
		meet(race, ++phase);
		turn_pass(&f->turns[me]);
	}
}

static void whoever_takes_the_last_one_at_the_same_time_only_one_keeps_it(void **state)
{
	struct fixture *f = *state;
	struct race *race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	set_limit(f, 1);
	pid_t pid = fork();
	if (pid == 0) {
		run_race(f, 3, race);
		_exit(0);
	}
	run_race(f, 1, race);
	waitpid(pid, NULL, 0);
	assert_int_equal(race->failed, 0);
	assert_int_equal(race->arrived, 2 * 4 * ROUNDS);
	munmap(race, sizeof(*race));
}

static void only_slots_in_use_are_looked_at(void **state)
{
	struct fixture *f = *state;

	set_limit(f, 1);
	give_turns(f, "000001");
	scoreboard_set_used(f->board, 5);
	assert_true(turn_take(&f->turns[0]));
}

static void the_turn_of_one_who_died_is_free_again(void **state)
{
	struct fixture *f = *state;
	struct crew *crew = mem_alloc(sizeof(*crew));

	crew->board = f->board;
	set_limit(f, 1);
	give_turns(f, "100000");
	assert_false(turn_take(&f->turns[1]));
	assert_int_equal(crew_free_slot(crew), 0); /* for the one that takes its place */
	assert_true(turn_take(&f->turns[1]));
	mem_free(&crew);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(there_are_as_many_as_the_limit_says),
		TEST(without_a_limit_everybody_has_one),
		TEST(passing_one_on_wakes_once),
		TEST(nobody_is_woken_while_there_are_too_many),
		TEST(who_is_woken_takes_it),
		TEST(who_is_woken_too_late_goes_without_and_is_not_woken_for_ever),
		TEST(a_wake_that_somebody_else_took_changes_nothing),
		TEST(two_that_were_passed_on_reach_two),
		TEST(of_two_who_took_the_last_one_the_first_on_the_board_keeps_it),
		TEST(whoever_takes_the_last_one_at_the_same_time_only_one_keeps_it),
		TEST(only_slots_in_use_are_looked_at),
		TEST(the_turn_of_one_who_died_is_free_again),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
