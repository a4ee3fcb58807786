/* child.h: a process started as the master starts its children. This program is both sides: with --child it is the child. */
#include "master/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fd.h"
#include "base/log.h"
#include "tests/unit/unit.h"

static bool is_blocked(int signal)
{
	sigset_t blocked;

	sigprocmask(SIG_SETMASK, NULL, &blocked);
	return sigismember(&blocked, signal);
}

/* The child: takes its time, as a real one does before it has handlers, then says which signal it was sent. */
static int child(void)
{
	sigset_t wanted;

	if (is_blocked(SIGQUIT) || is_blocked(SIGCHLD) || is_blocked(SIGUSR2))
		return 1;
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	sigemptyset(&wanted);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGHUP);
	return sigtimedwait(&wanted, NULL, &(struct timespec){.tv_sec = 10});
}

/* The exit status of a child that is sent the signal at once; a signal's end counts as 128 and its number. */
static int status_after(int signal)
{
	struct err err;
	struct identity nobody_else = {0};
	AUTO(fd_close) int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	AUTO(fd_close) int program = fcntl(self, F_DUPFD_CLOEXEC, HERITAGE_FD_LAST + 1);
	AUTO(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct child_plan plan = {
		.role = CHILD_INVOKE,
		.slot = 3,
		.program_fd = program,
		.conf_fd = null,
		.board_fd = null,
		.life_fd = null,
		.turn_fd = -1,
		.warden_fd = -1,
		.gate_fd = -1,
		.identity = &nobody_else,
	};
	int status;

	assert_true(program > HERITAGE_FD_LAST);
	pid_t pid = child_spawn(&plan, &err);
	assert_true(pid > 0);
	kill(pid, signal);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Which loses the signals that wait across exec. */
static bool is_under_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

static void a_signal_sent_before_there_is_a_handler_waits_for_it(void **state)
{
	sigset_t blocked, before;

	(void)state;
	if (is_under_valgrind())
		UNIT_SKIP("under valgrind");
	/* As the master has it (it reads them from a descriptor). */
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGCHLD);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_SETMASK, &blocked, &before);
	for (int round = 0; round < 5; round++) {
		assert_int_equal(status_after(SIGTERM), SIGTERM);
		assert_int_equal(status_after(SIGHUP), SIGHUP);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void a_child_that_must_go_at_once_goes(void **state)
{
	(void)state;
	assert_int_equal(status_after(SIGKILL), 128 + SIGKILL);
	assert_int_equal(status_after(SIGQUIT), 128 + SIGQUIT);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--child=invoke") == 0)
		return child();

	signal(SIGQUIT, SIG_DFL); /* a shell has its background processes ignore it */

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_sent_before_there_is_a_handler_waits_for_it),
		cmocka_unit_test(a_child_that_must_go_at_once_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
