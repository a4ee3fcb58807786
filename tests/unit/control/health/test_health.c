/* Whether Berth is ready. */
#include "base/clock.h"
#include "tests/unit/control/control_rig.h"

static void tell_numbers(int fd)
{
	static const char *const stats[] = {
		"{\"docker\":{\"ok\":true,\"detail\":\"\",\"version\":\"20.10\"},\"sandboxes\":{\"spare\":2},"
		"\"runtimes\":{\"gvisor\":{\"available\":true}},\"images\":{\"python-2\":true}}",
		"{\"docker\":{\"ok\":true},\"runtimes\":{\"gvisor\":{\"available\":false,\"detail\":\"run scripts/gvisor\"}},"
		"\"images\":{\"python-2\":false}}",
		"{\"docker\":{\"ok\":true},\"images\":{}}",
		"{\"docker\":{\"ok\":false,\"detail\":\"connect to '/run/d.sock': refused\",\"version\":\"\"},"
		"\"database\":{\"ok\":false,\"detail\":\"server at \\\"db.example\\\" failed\"}}",
		"no json",
	};
	struct ipc_msg m;

	for (size_t i = 0; i < ARRAY_SIZE(stats); i++) {
		fake_poolmgr_expect(fd, IPC_STATS, &m);
		struct ipc_msg reply = {.type = IPC_STATS_REPLY, .stats_reply = {.seq = m.stats.seq, .json = STR(stats[i])}};
		fake_poolmgr_send(fd, &reply);
	}
	fake_poolmgr_expect_close(fd);
}

static void readiness_is_that_of_what_it_depends_on(void **state)
{
	struct fixture *f = *state;

	SERVE(f, tell_numbers);
	assert_status(f, call(f, "GET", "/readyz", ""), 200);
	assert_string_equal(answer_text(f, "status"), "ready");
	assert_has(f, "\"sandboxes\":{\"spare\":2}");
	assert_has(f, "\"runtime\":{\"status\":\"ok\"");
	assert_has(f, "\"images\":{\"status\":\"ok\"");
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_has(f, "\"runtime\":{\"status\":\"failed\",\"detail\":\"the default runtime gvisor is not available: run "
		      "scripts/gvisor\"}");
	assert_has(f, "\"docker\":{\"status\":\"ok\"");
	assert_has(f, "\"images\":{\"status\":\"failed\",\"detail\":\"the image of python-2, i, is missing "
		      "on this node: "
		      "scripts/images --version python-2 builds it\"}");
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_has(f, "\"runtime\":{\"status\":\"failed\",\"detail\":\"the default runtime gvisor is not available: the pool "
		      "manager gave no reason\"}");
	assert_has(f, "\"images\":{\"status\":\"failed\",\"detail\":\"the pool manager has not checked");
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_has(f, "\"docker\":{\"status\":\"failed\",\"detail\":\"connect to '…': refused\"}");
	assert_null(strstr(f->response.out.data, "/run"));
	assert_null(strstr(f->response.out.data, "db.example"));
	assert_has(f, "\"database\":{\"status\":\"ok\"");
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_has(f, "\"poolmgr\":{\"status\":\"failed\"");
}

static void be_silent(struct fixture *f, int place, enum child_role role)
{
	struct slot *slot = scoreboard_slot(f->worker.board, place);

	slot->role = role;
	slot->pid = 4711;
	slot->state = SLOT_IDLE;
	slot->beat_us = clock_mono_us() - 3 * SLOT_SILENT_US;
}

/* It is not asked, because that would take as long as the timeout of an answer. */
static void a_process_that_shows_no_sign_of_life_is_told(void **state)
{
	struct fixture *f = *state;

	be_silent(f, 0, CHILD_COLLECTOR);
	SERVE(f, tell_numbers);
	assert_status(f, call(f, "GET", "/readyz", ""), 200);
	assert_has(f, "\"processes\":{\"status\":\"failed\",\"detail\":\"collector has shown no sign of life for ");
	assert_has(f, "\"poolmgr\":{\"status\":\"ok\"");
	be_silent(f, 1, CHILD_POOLMGR);
	int64_t start_us = clock_mono_us();
	assert_status(f, call(f, "GET", "/readyz", ""), 503);
	assert_true(clock_mono_us() - start_us < 400000);
	assert_has(f, "\"poolmgr\":{\"status\":\"failed\",\"detail\":\"the pool manager has shown no sign of life for ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, control_rig_set_up, control_rig_tear_down)
		TEST(a_process_that_shows_no_sign_of_life_is_told),
		TEST(readiness_is_that_of_what_it_depends_on),
#undef TEST
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
