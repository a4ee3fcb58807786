#include "master/reload.h"

#include <signal.h>

#include "tests/unit/master/master_rig.h"

static enum replacement of(const struct master_rig *r, enum child_role role)
{
	return r->m.teams[role].replacement;
}

static void what_cannot_read_settings_itself_is_to_be_replaced(void **state)
{
	struct master_rig *r = *state;

	master_rig_configure(r, "[log]\nlevel = error\n");
	reload_run(&r->m);
	assert_string_equal(r->settings.conf->log_level, "error");
	assert_int_equal(of(r, CHILD_INVOKE), REPLACE_WANTED);
	assert_int_equal(of(r, CHILD_CONTROL), REPLACE_WANTED);
	assert_int_equal(of(r, CHILD_FOLLOW), REPLACE_WANTED);
	assert_int_equal(of(r, CHILD_POOLMGR), REPLACE_NO);
	assert_int_equal(of(r, CHILD_COLLECTOR), REPLACE_NO);
	assert_int_equal(of(r, CHILD_WARDEN), REPLACE_NO);
}

static void what_is_refused_changes_nothing(void **state)
{
	struct master_rig *r = *state;
	long workers = r->settings.conf->control_workers;

	master_rig_configure(r, "[control]\nworkers = many\n");
	reload_run(&r->m);
	assert_int_equal(r->settings.conf->control_workers, workers);
	assert_int_equal(of(r, CHILD_CONTROL), REPLACE_NO);
}

static void who_stops_does_not_reload(void **state)
{
	struct master_rig *r = *state;

	r->m.stage = 0;
	master_rig_configure(r, "[log]\nlevel = error\n");
	reload_run(&r->m);
	assert_string_not_equal(r->settings.conf->log_level, "error");
	assert_int_equal(of(r, CHILD_INVOKE), REPLACE_NO);
}

static void old_ones_stop_when_the_new_ones_are_up_one_role_after_the_other(void **state)
{
	struct master_rig *r = *state;
	int old = master_rig_add_child(r, CHILD_INVOKE, SLOT_IDLE);

	r->m.teams[CHILD_INVOKE].replacement = REPLACE_WANTED;
	assert_false(reload_replace(&r->m, CHILD_INVOKE, true, true));
	assert_int_equal(of(r, CHILD_INVOKE), REPLACE_WANTED);
	assert_true(reload_replace(&r->m, CHILD_INVOKE, true, false));
	assert_int_equal(r->m.teams[CHILD_INVOKE].generation, 1);
	int new = master_rig_add_child(r, CHILD_INVOKE, SLOT_STARTING);

	assert_true(reload_replace(&r->m, CHILD_INVOKE, false, false));
	assert_false(r->m.crew->members[old].stopping);
	assert_false(reload_replace(&r->m, CHILD_INVOKE, true, false));
	assert_int_equal(of(r, CHILD_INVOKE), REPLACE_NO);
	assert_true(r->m.crew->members[old].stopping);
	assert_false(r->m.crew->members[new].stopping);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MASTER_TEST(what_cannot_read_settings_itself_is_to_be_replaced),
		MASTER_TEST(what_is_refused_changes_nothing),
		MASTER_TEST(who_stops_does_not_reload),
		MASTER_TEST(old_ones_stop_when_the_new_ones_are_up_one_role_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
