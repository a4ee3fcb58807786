/* Who gets what, as ipc/inherited.h promises it. */
#include "master/resources/descriptor.h"

#include <fcntl.h>
#include <stdbool.h>

#include "tests/unit/unit.h"

#define NOT_GIVEN -7

/* Each descriptor of the table is its own place in it, so that what was given tells where it comes from. */
static void give(enum child_role role, int numbers[INHERITED_FD_LAST + 1])
{
	int fds[DESCRIPTOR_COUNT];

	for (int i = 0; i < DESCRIPTOR_COUNT; i++)
		fds[i] = i;
	for (int number = 0; number <= INHERITED_FD_LAST; number++)
		numbers[number] = NOT_GIVEN;
	descriptor_give(fds, role, numbers);
}

static bool is_worker(enum child_role role)
{
	return role != CHILD_POOLMGR && role != CHILD_COLLECTOR && role != CHILD_WARDEN;
}

static void each_role_finds_what_it_is_promised(void **state)
{
	int numbers[INHERITED_FD_LAST + 1];

	(void)state;
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		give(role, numbers);
		assert_int_equal(numbers[INHERITED_SCOREBOARD_FD], FD_SCOREBOARD);
		assert_int_equal(numbers[INHERITED_LIFE_FD], FD_LIFE);
		assert_int_equal(numbers[INHERITED_TURN_FD], role == CHILD_INVOKE ? FD_TURN : NOT_GIVEN);
		assert_int_equal(numbers[INHERITED_GATE_FD], is_worker(role) ? FD_GATE : NOT_GIVEN);
		assert_int_equal(numbers[INHERITED_WARDEN_FD], role == CHILD_POOLMGR  ? FD_POOLMGR
							       : role == CHILD_WARDEN ? FD_WARDEN
										      : NOT_GIVEN);
	}
}

static void what_is_the_masters_alone_is_given_to_nobody(void **state)
{
	static const enum descriptor own[] = {FD_LIFE_HELD, FD_SIGNALS, FD_RUN_DIR, FD_STATE_DIR, FD_PID, FD_PREDECESSOR};
	int numbers[INHERITED_FD_LAST + 1];

	(void)state;
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		give(role, numbers);
		for (int number = 0; number <= INHERITED_FD_LAST; number++)
			for (size_t i = 0; i < ARRAY_SIZE(own); i++)
				assert_int_not_equal(numbers[number], own[i]);
	}
}

static void settings_and_sockets_have_numbers_that_are_left_alone(void **state)
{
	int numbers[INHERITED_FD_LAST + 1];

	(void)state;
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++) {
		give(role, numbers);
		for (int number = 0; number <= INHERITED_CONF_FD; number++)
			assert_int_equal(numbers[number], NOT_GIVEN);
		for (int number = INHERITED_LISTEN_FD; number <= INHERITED_FD_LAST; number++)
			assert_int_equal(numbers[number], NOT_GIVEN);
	}
}

static void all_that_are_open_are_closed(void **state)
{
	int fds[DESCRIPTOR_COUNT] = {[0 ... DESCRIPTOR_COUNT - 1] = -1}, before = unit_open_fds();

	(void)state;
	fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fds[DESCRIPTOR_COUNT - 1] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	descriptor_close(fds);
	assert_int_equal(unit_open_fds(), before);
	for (int i = 0; i < DESCRIPTOR_COUNT; i++)
		assert_int_equal(fds[i], -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_role_finds_what_it_is_promised),
		cmocka_unit_test(what_is_the_masters_alone_is_given_to_nobody),
		cmocka_unit_test(settings_and_sockets_have_numbers_that_are_left_alone),
		cmocka_unit_test(all_that_are_open_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
