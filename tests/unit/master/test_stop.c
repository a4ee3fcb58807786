#include "master/stop.h"

#include <signal.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/unit/master/master_rig.h"

static int64_t kill_at_us(const struct master_rig *r, int slot)
{
	return r->m.crew->members[slot].kill_at_us;
}

static bool is_stopping(const struct master_rig *r, int slot)
{
	return r->m.crew->members[slot].stopping;
}

static void a_stage_begins_when_nobody_of_the_one_before_is_left(void **state)
{
	struct master_rig *r = *state;
	int invoke = master_rig_add_child(r, CHILD_INVOKE, SLOT_IDLE),
	    poolmgr = master_rig_add_child(r, CHILD_POOLMGR, SLOT_IDLE);
	int collector = master_rig_add_child(r, CHILD_COLLECTOR, SLOT_IDLE);

	stop_advance(&r->m);
	assert_int_equal(r->m.stage, -1);
	stop_order(&r->m, "test");
	stop_advance(&r->m);
	assert_int_equal(r->m.stage, 0);
	assert_true(is_stopping(r, invoke) && !is_stopping(r, poolmgr));
	master_rig_bury(r);
	stop_advance(&r->m);
	assert_int_equal(r->m.stage, 1);
	assert_true(is_stopping(r, poolmgr) && !is_stopping(r, collector));
	master_rig_bury(r);
	stop_advance(&r->m);
	assert_int_equal(r->m.stage, 2);
	assert_true(is_stopping(r, collector));
	master_rig_bury(r);
	stop_advance(&r->m);
	assert_int_equal(r->m.stage, ROLE_STAGE_COUNT);
}

static void a_stage_shuts_the_sockets_of_its_roles_and_no_others(void **state)
{
	struct master_rig *r = *state;

	master_rig_add_child(r, CHILD_INVOKE, SLOT_IDLE);
	stop_order(&r->m, "test");
	assert_false(master_rig_has_file(r, "invoke-0.sock"));
	assert_false(master_rig_has_file(r, "control.sock"));
	assert_true(master_rig_has_file(r, "poolmgr.sock"));
	master_rig_bury(r);
	stop_advance(&r->m);
	assert_false(master_rig_has_file(r, "poolmgr.sock"));
}

static void workers_of_the_berthd_before_are_waited_for(void **state)
{
	struct master_rig *r = *state;
	int link[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, link), 0);
	r->m.fds[FD_PREDECESSOR] = link[0];
	stop_order(&r->m, "test");
	stop_advance(&r->m);
	assert_int_equal(r->m.stage, 0);
	assert_int_equal(successor_receive(&link[1]), SUCCESSOR_HURRY);
	fd_close(&r->m.fds[FD_PREDECESSOR]);
	stop_advance(&r->m);
	assert_int_equal(r->m.stage, ROLE_STAGE_COUNT);
	fd_close(&link[1]);
}

static void an_order_ends_the_wait_for_requests_in_flight_and_a_second_one_all(void **state)
{
	struct master_rig *r = *state;
	int slot = master_rig_add_child(r, CHILD_INVOKE, SLOT_BUSY);

	r->m.patient = true;
	stop_begin(&r->m, role_handover);
	assert_true(kill_at_us(r, slot) == INT64_MAX);
	stop_order(&r->m, "test");
	assert_true(kill_at_us(r, slot) > clock_mono_us() && kill_at_us(r, slot) <= stop_deadline_us(&r->m));
	stop_order(&r->m, "test");
	assert_true(kill_at_us(r, slot) <= clock_mono_us());
	assert_int_equal(r->m.stage, 0);
}

static void an_successor_that_is_told_to_stop_leaves_the_run_directory_as_it_is(void **state)
{
	struct master_rig *r = *state;
	AUTO(fd_close) int before = master_rig_become_successor(r);

	stop_order(&r->m, "test");
	assert_true(master_rig_has_file(r, "invoke-0.sock"));
	assert_true(master_rig_has_file(r, "poolmgr.sock"));
	assert_false(master_rig_has_file(r, "poolmgr.sock.new"));
	assert_int_equal(successor_receive(&before), SUCCESSOR_GONE);
	assert_int_equal(r->m.standing, SUCCESSOR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MASTER_TEST(a_stage_begins_when_nobody_of_the_one_before_is_left),
		MASTER_TEST(a_stage_shuts_the_sockets_of_its_roles_and_no_others),
		MASTER_TEST(workers_of_the_berthd_before_are_waited_for),
		MASTER_TEST(an_order_ends_the_wait_for_requests_in_flight_and_a_second_one_all),
		MASTER_TEST(an_successor_that_is_told_to_stop_leaves_the_run_directory_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
