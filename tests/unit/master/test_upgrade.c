#include "master/upgrade.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "tests/unit/master/master_rig.h"

/* A successor that has been started: a process that only SIGKILL ends. Returns its end of the link. */
static int add_successor(struct master_rig *r)
{
	sigset_t term, before;
	int link[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, link), 0);
	r->m.ready = true;
	/* Before it is there, so that it never ends by SIGTERM. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	r->m.successor = (struct successor){.pid = pid, .link_fd = link[0], .end_at_us = INT64_MAX};
	return link[1];
}

static void end_successor(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void only_who_is_ready_and_does_not_stop_is_upgraded(void **state)
{
	struct master_rig *r = *state;

	r->start.program = "/bin/false";
	upgrade_start(&r->m);
	assert_int_equal(r->m.successor.pid, 0);
	r->m.ready = true;
	r->m.stage = 0;
	upgrade_start(&r->m);
	assert_int_equal(r->m.successor.pid, 0);
}

static void an_successor_that_fails_leaves_everything_as_it_was(void **state)
{
	struct master_rig *r = *state;

	r->m.ready = true;
	r->start.program = "/bin/false";
	int before = unit_open_fds();
	upgrade_start(&r->m);
	assert_true(r->m.successor.pid > 0);
	pid_t pid = r->m.successor.pid;
	upgrade_start(&r->m);
	assert_int_equal(r->m.successor.pid, pid);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	upgrade_on_death(&r->m, "exited with status 1");
	assert_int_equal(r->m.successor.pid, 0);
	assert_int_equal(unit_open_fds(), before);
	assert_int_equal(r->m.standing, IN_CHARGE);
	assert_int_equal(r->m.stage, -1);
	assert_true(master_rig_has_file(r, "poolmgr.sock"));
}

static void who_hands_over_stops_in_its_own_time_unless_it_is_hurried(void **state)
{
	struct master_rig *r = *state;
	AUTO(fd_close) int successor = add_successor(r);
	pid_t pid = r->m.successor.pid;

	upgrade_on_word(&r->m);
	assert_int_equal(r->m.standing, IN_CHARGE);
	successor_send(successor, SUCCESSOR_READY);
	upgrade_on_word(&r->m);
	assert_int_equal(r->m.standing, RETIRED);
	assert_int_equal(r->m.stage, 0);
	assert_ptr_equal(r->m.stages, role_handover);
	assert_true(r->m.patient);
	assert_true(master_rig_has_file(r, "poolmgr.sock"));
	successor_send(successor, SUCCESSOR_HURRY);
	upgrade_on_word(&r->m);
	assert_false(r->m.patient);
	end_successor(pid);
}

static void what_it_has_said_before_it_died_counts(void **state)
{
	struct master_rig *r = *state;
	AUTO(fd_close) int successor = add_successor(r);
	pid_t pid = r->m.successor.pid;

	successor_send(successor, SUCCESSOR_READY);
	end_successor(pid);
	upgrade_on_death(&r->m, "was killed");
	assert_int_equal(r->m.standing, RETIRED);
}

static void an_successor_that_is_ready_too_late_is_not_handed_anything(void **state)
{
	struct master_rig *r = *state;
	AUTO(fd_close) int successor = add_successor(r);
	pid_t pid = r->m.successor.pid;

	r->m.stage = 0;
	r->m.stages = role_stop;
	successor_send(successor, SUCCESSOR_READY);
	upgrade_on_word(&r->m);
	assert_int_equal(r->m.standing, IN_CHARGE);
	assert_int_equal(r->m.successor.pid, 0);
	end_successor(pid);
}

static void an_successor_whose_time_is_over_is_asked_to_end_and_then_killed(void **state)
{
	struct master_rig *r = *state;
	AUTO(fd_close) int successor = add_successor(r);
	pid_t pid = r->m.successor.pid;
	int status;

	r->m.successor.end_at_us = clock_mono_us();
	upgrade_check(&r->m, r->m.successor.end_at_us - 1);
	assert_false(r->m.successor.ending);
	upgrade_check(&r->m, r->m.successor.end_at_us);
	assert_true(r->m.successor.ending);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	upgrade_check(&r->m, r->m.successor.end_at_us);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MASTER_TEST(only_who_is_ready_and_does_not_stop_is_upgraded),
		MASTER_TEST(an_successor_that_fails_leaves_everything_as_it_was),
		MASTER_TEST(who_hands_over_stops_in_its_own_time_unless_it_is_hurried),
		MASTER_TEST(what_it_has_said_before_it_died_counts),
		MASTER_TEST(an_successor_that_is_ready_too_late_is_not_handed_anything),
		MASTER_TEST(an_successor_whose_time_is_over_is_asked_to_end_and_then_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
