/* The metrics of the system's present state. */
#include "tests/unit/control/control_rig.h"

static void tell_everything(int fd)
{
	static const char json[] = "{\"docker\":{\"ok\":true},\"sandboxes\":{\"spare\":2},\"spool_bytes\":7,"
				   "\"berthd\":{\"version\":\"1\"},\"processes\":{\"invoke\":{\"idle\":4}}}";
	struct ipc_msg m;

	for (int i = 0; i < 2; i++) {
		fake_poolmgr_expect(fd, IPC_STATS, &m);
		assert_int_equal(m.stats.whole, 1);
		struct ipc_msg reply = {.type = IPC_STATS_REPLY, .stats_reply = {.seq = m.stats.seq, .json = STR(json)}};
		fake_poolmgr_send(fd, &reply);
	}
	fake_poolmgr_expect_close(fd);
}

static void the_system_is_what_poolmgr_says_and_whether_the_database_answers(void **state)
{
	struct fixture *f = *state;

	SERVE(f, tell_everything);
	assert_status(f, call(f, "GET", "/metrics/system", ""), 200);
	assert_has(f, "\"pool\":{\"docker\":{\"ok\":true},\"sandboxes\":{\"spare\":2}}");
	assert_has(f, "\"processes\":{\"invoke\":{\"idle\":4}}");
	assert_has(f, "\"berthd\":{\"version\":\"1\"},");
	assert_has(f, "\"spool_bytes\":7");
	assert_has(f, "\"database\":{\"status\":\"ok\"");
	pg_scratch_stop(pg);
	assert_status(f, call(f, "GET", "/metrics/system", ""), 200);
	assert_has(f, "\"database\":{\"status\":\"failed\"");
	pg_scratch_start(pg);
}

static void without_poolmgr_there_are_no_numbers_of_the_system(void **state)
{
	struct fixture *f = *state;

	assert_status(f, call(f, "GET", "/metrics/system", ""), 503);
	assert_string_equal(answer_text(f, "code"), "runtime_unavailable");
	assert_has(f, "Retry-After: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, control_rig_set_up, control_rig_tear_down)
		TEST(the_system_is_what_poolmgr_says_and_whether_the_database_answers),
		TEST(without_poolmgr_there_are_no_numbers_of_the_system),
#undef TEST
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
