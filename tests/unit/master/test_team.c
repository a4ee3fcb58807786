/* This program is both sides: with --child it is a child that waits for a signal. */
#include "master/team.h"

#include <fcntl.h>
#include <signal.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/unit/master/master_rig.h"

static struct sizing_count count_of(struct master_rig *r, enum child_role role)
{
	return crew_count(r->m.crew, role, r->m.teams[role].generation);
}

static void set_program(struct master_rig *r, enum child_role role, const char *path)
{
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);

	r->m.program_fds[role] = fcntl(fd, F_DUPFD_CLOEXEC, INHERITED_FD_LAST + 1);
	assert_true(r->m.program_fds[role] >= 0);
}

static void as_many_are_started_as_are_missing_and_up_once_they_say_so(void **state)
{
	struct master_rig *r = *state;
	int workers = (int)r->settings.conf->control_workers;

	set_program(r, CHILD_CONTROL, "/proc/self/exe");
	assert_true(workers > 1);
	master_rig_add_child(r, CHILD_CONTROL, SLOT_IDLE);
	assert_false(team_adjust(&r->m, CHILD_CONTROL, clock_mono_us()));
	assert_int_equal(count_of(r, CHILD_CONTROL).starting, workers - 1);
	assert_false(team_adjust(&r->m, CHILD_CONTROL, clock_mono_us()));
	assert_int_equal(count_of(r, CHILD_CONTROL).starting, workers - 1);
	for (int slot = 0; slot < workers; slot++)
		scoreboard_slot(r->m.board, slot)->state = SLOT_IDLE;
	assert_true(team_adjust(&r->m, CHILD_CONTROL, clock_mono_us()));
	assert_int_equal(count_of(r, CHILD_CONTROL).idle, workers);
}

static void nobody_is_started_before_the_throttle_allows_it(void **state)
{
	struct master_rig *r = *state;
	int64_t now_us = clock_mono_us();

	r->m.teams[CHILD_FOLLOW].throttle.not_before_us = now_us + 1000000;
	assert_false(team_adjust(&r->m, CHILD_FOLLOW, now_us));
	assert_int_equal(count_of(r, CHILD_FOLLOW).starting, 0);
}

static void who_is_too_many_is_stopped(void **state)
{
	struct master_rig *r = *state;
	int workers = (int)r->settings.conf->control_workers;

	for (int i = 0; i < workers + 1; i++)
		master_rig_add_child(r, CHILD_CONTROL, SLOT_IDLE);
	team_adjust(&r->m, CHILD_CONTROL, clock_mono_us());
	assert_int_equal(count_of(r, CHILD_CONTROL).idle, workers);
}

static void a_role_is_wanted_until_its_stage_of_the_stop(void **state)
{
	struct master_rig *r = *state;

	for (int role = 0; role < CHILD_ROLE_COUNT; role++)
		assert_true(team_is_wanted(&r->m, (enum child_role)role));
	r->m.stages = role_stop;
	r->m.stage = 0;
	assert_false(team_is_wanted(&r->m, CHILD_INVOKE));
	assert_true(team_is_wanted(&r->m, CHILD_POOLMGR));
	r->m.stage = 1;
	assert_false(team_is_wanted(&r->m, CHILD_INVOKE));
	assert_false(team_is_wanted(&r->m, CHILD_POOLMGR));
	assert_true(team_is_wanted(&r->m, CHILD_COLLECTOR));
	r->m.stage = ROLE_STAGE_COUNT;
	assert_false(team_is_wanted(&r->m, CHILD_COLLECTOR));
}

static void who_stops_beside_another_berthd_replaces_nobody(void **state)
{
	struct master_rig *r = *state;

	r->m.stages = role_handover;
	r->m.stage = 0;
	r->m.standing = RETIRED;
	assert_false(team_is_wanted(&r->m, CHILD_POOLMGR));
	assert_false(team_is_wanted(&r->m, CHILD_WARDEN));
}

int main(int argc, char **argv)
{
	if (argc > 1 && strncmp(argv[1], "--child=", 8) == 0) {
		alarm(60); /* should the test be killed itself */
		return pause();
	}
	const struct CMUnitTest tests[] = {
		MASTER_TEST(as_many_are_started_as_are_missing_and_up_once_they_say_so),
		MASTER_TEST(nobody_is_started_before_the_throttle_allows_it),
		MASTER_TEST(who_is_too_many_is_stopped),
		MASTER_TEST(a_role_is_wanted_until_its_stage_of_the_stop),
		MASTER_TEST(who_stops_beside_another_berthd_replaces_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
