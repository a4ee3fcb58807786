#include "master/children/role.h"

#include "tests/unit/unit.h"

static void every_role_stops_in_exactly_one_stage(void **state)
{
	(void)state;
	for (int role = 0; role < CHILD_ROLE_COUNT; role++) {
		int at_a_stop = 0, at_a_handover = 0;
		for (int i = 0; i < ROLE_STAGE_COUNT; i++) {
			at_a_stop += role_stop[i].has[role];
			at_a_handover += role_handover[i].has[role];
		}
		assert_int_equal(at_a_stop, 1);
		assert_int_equal(at_a_handover, 1);
	}
}

static void each_has_the_privilege_its_work_needs_and_no_other(void **state)
{
	(void)state;
	for (int role = 0; role < CHILD_ROLE_COUNT; role++)
		assert_int_equal(roles[role].privilege, role == CHILD_POOLMGR     ? PRIVILEGE_DOCKER
							: role == CHILD_COLLECTOR ? PRIVILEGE_SPOOL
							: role == CHILD_WARDEN    ? PRIVILEGE_CGROUPS
										  : PRIVILEGE_NONE);
	assert_false(roles[CHILD_INVOKE].stores);
	assert_false(roles[CHILD_WARDEN].stores);
}

static void limits_follow_the_configuration(void **state)
{
	AUTO(conf_free) struct conf *conf = NULL;
	struct err err;

	(void)state;
	assert_ok(conf_load_file(NULL, &conf, &err));
	conf->invoke_min_spare = 3;
	conf->invoke_max_workers = 30;
	conf->control_workers = 5;
	assert_int_equal(role_limits(CHILD_INVOKE, conf).min_spare, 3);
	assert_int_equal(role_limits(CHILD_INVOKE, conf).max, 30);
	assert_int_equal(role_limits(CHILD_CONTROL, conf).min_spare, 5);
	assert_int_equal(role_limits(CHILD_CONTROL, conf).max, 5);
	conf->deploy_max_workers = 6;
	conf->query_workers = 3;
	assert_int_equal(role_limits(CHILD_DEPLOY, conf).min_spare, 1);
	assert_int_equal(role_limits(CHILD_DEPLOY, conf).max, 6);
	assert_int_equal(role_limits(CHILD_QUERY, conf).min_spare, 3);
	assert_int_equal(role_limits(CHILD_QUERY, conf).max, 3);
	assert_int_equal(role_limits(CHILD_HEALTH, conf).max, 2);
	assert_int_equal(role_limits(CHILD_POOLMGR, conf).max, 1);
	assert_int_equal(role_limits(CHILD_COLLECTOR, conf).min_spare, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_role_stops_in_exactly_one_stage),
		cmocka_unit_test(each_has_the_privilege_its_work_needs_and_no_other),
		cmocka_unit_test(limits_follow_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
