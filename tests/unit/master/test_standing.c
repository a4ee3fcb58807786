#include "master/standing.h"

#include <fcntl.h>
#include <sys/eventfd.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/master/master_rig.h"

static bool gate_is_open(const struct master_rig *r)
{
	eventfd_t value;

	return eventfd_read(r->m.fds[FD_GATE], &value) == 0;
}

static bool has_pid_in_file(const struct master_rig *r)
{
	AUTO(mem_free) char *path = mem_printf("%s/berthd.pid", r->run_dir);
	AUTO(mem_free) char *text = NULL;
	size_t len;
	struct err err;

	assert_ok(fd_read_file(path, 100, &text, &len, &err));
	return atoi(text) == getpid();
}

static void who_takes_over_is_found_by_all_before_the_one_before_is_told(void **state)
{
	struct master_rig *r = *state;
	AUTO(fd_close) int before = master_rig_become_successor(r);
	struct err err;

	assert_true(master_rig_has_file(r, "poolmgr.sock.new"));
	assert_int_equal(successor_receive(&before), SUCCESSOR_NOTHING);
	assert_false(gate_is_open(r));
	assert_ok(standing_take_over(&r->m, &err));
	assert_int_equal(r->m.standing, IN_CHARGE);
	assert_false(master_rig_has_file(r, "poolmgr.sock.new"));
	assert_true(master_rig_has_file(r, "poolmgr.sock"));
	assert_true(has_pid_in_file(r));
	assert_true(gate_is_open(r));
	assert_int_equal(successor_receive(&before), SUCCESSOR_READY);
}

static void who_cannot_take_over_stays_a_successor_and_tells_nobody(void **state)
{
	struct master_rig *r = *state;
	AUTO(fd_close) int before = master_rig_become_successor(r);
	struct err err;

	assert_int_equal(unlinkat(r->m.fds[FD_RUN_DIR], "poolmgr.sock.new", 0), 0);
	assert_fails(standing_take_over(&r->m, &err), "rename");
	assert_int_equal(r->m.standing, SUCCESSOR);
	assert_false(gate_is_open(r));
	assert_int_equal(successor_receive(&before), SUCCESSOR_NOTHING);
}

static void who_steps_back_leaves_what_is_the_one_befores(void **state)
{
	struct master_rig *r = *state;
	AUTO(fd_close) int before = master_rig_become_successor(r);

	standing_step_back(&r->m);
	assert_false(master_rig_has_file(r, "poolmgr.sock.new"));
	assert_true(master_rig_has_file(r, "poolmgr.sock"));
	assert_true(master_rig_has_file(r, "invoke-0.sock"));
	assert_true(master_rig_has_file(r, "berthd.pid"));
	assert_int_equal(successor_receive(&before), SUCCESSOR_GONE);
	for (int kind = 0; kind < LISTEN_KINDS; kind++)
		assert_int_equal(r->m.listeners[kind].count, 0);
}

static void who_retires_leaves_all_names_to_the_successor(void **state)
{
	struct master_rig *r = *state;

	standing_retire(&r->m);
	assert_int_equal(r->m.standing, RETIRED);
	assert_true(master_rig_has_file(r, "poolmgr.sock"));
	assert_true(master_rig_has_file(r, "invoke-0.sock"));
	assert_true(master_rig_has_file(r, "berthd.pid"));
	assert_int_equal(r->m.fds[FD_PID], -1);
	for (int kind = 0; kind < LISTEN_KINDS; kind++)
		assert_int_equal(r->m.listeners[kind].count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MASTER_TEST(who_takes_over_is_found_by_all_before_the_one_before_is_told),
		MASTER_TEST(who_cannot_take_over_stays_a_successor_and_tells_nobody),
		MASTER_TEST(who_steps_back_leaves_what_is_the_one_befores),
		MASTER_TEST(who_retires_leaves_all_names_to_the_successor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
