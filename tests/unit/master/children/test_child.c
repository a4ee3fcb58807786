/* child.h: a process started as the master starts its children. This program is both sides: with --child it is the child. */
#include "master/children/child.h"

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

static char first_byte(int fd)
{
	char byte = '?';

	return pread(fd, &byte, 1, 0) == 1 ? byte : '?';
}

/* The other child: says whether it has just what a plan named, at the numbers that the plan named. */
static int child_that_looks(void)
{
	static const struct {
		int number;
		char text;
	} wanted[] = {{INHERITED_CONF_FD, 'c'}, {INHERITED_LIFE_FD, 'l'}, {INHERITED_FD_LAST, 'z'}};
	int others = -(int)ARRAY_SIZE(wanted);

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		if (first_byte(wanted[i].number) != wanted[i].text)
			return 1;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return 2;
	for (int fd = INHERITED_CONF_FD; fd <= 2 * INHERITED_FD_LAST; fd++)
		others += fcntl(fd, F_GETFD) >= 0;
	return others == 0 ? 0 : 3;
}

/* The exit status of a child that is sent the signal at once; a signal's end counts as 128 and its number. */
static int status_after(int signal)
{
	struct err err;
	struct identity nobody_else = {0};
	AUTO(fd_close) int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	AUTO(fd_close) int program = fcntl(self, F_DUPFD_CLOEXEC, INHERITED_FD_LAST + 1);
	AUTO(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct child_plan plan = {
		.role = CHILD_INVOKE,
		.slot = 3,
		.program_fd = program,
		.fds = {[0 ... INHERITED_FD_LAST] = -1},
		.identity = &nobody_else,
	};
	int status;

	assert_true(program > INHERITED_FD_LAST);
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

/* A file that says so, at that number. */
static void put_file(int number, char text)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(pwrite(fileno(file), &text, 1, 0), 1);
	int fd = fcntl(fileno(file), F_DUPFD_CLOEXEC, INHERITED_FD_LAST + 1);
	fclose(file); /* which may have had that very number */
	assert_int_equal(dup2(fd, number), number);
	fd_close(&fd);
}

static void a_child_finds_what_is_planned_at_its_numbers_and_nothing_else(void **state)
{
	struct err err;
	struct identity nobody_else = {0};
	int status;

	(void)state;
	fflush(NULL);
	pid_t pid = fork(); /* whose descriptors may be as they please */
	assert_true(pid >= 0);
	if (pid == 0) {
		int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
		int program = fcntl(self, F_DUPFD_CLOEXEC, INHERITED_FD_LAST + 1);
		struct child_plan plan = {
			.role = CHILD_QUERY,
			.program_fd = program,
			.fds = {[0 ... INHERITED_FD_LAST] = -1},
			.identity = &nobody_else,
		};
		/* Each where another one is to be. */
		put_file(INHERITED_LIFE_FD, 'c');
		put_file(INHERITED_FD_LAST, 'l');
		put_file(INHERITED_CONF_FD, 'z');
		put_file(INHERITED_TURN_FD, 'x');
		plan.fds[INHERITED_CONF_FD] = INHERITED_LIFE_FD;
		plan.fds[INHERITED_LIFE_FD] = INHERITED_FD_LAST;
		plan.fds[INHERITED_FD_LAST] = INHERITED_CONF_FD;
		pid_t child_pid = child_spawn(&plan, &err);
		_exit(waitpid(child_pid, &status, 0) == child_pid && WIFEXITED(status) ? WEXITSTATUS(status) : 99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--child=query") == 0)
		return child_that_looks();
	if (argc > 1 && strcmp(argv[1], "--child=invoke") == 0)
		return child();

	signal(SIGQUIT, SIG_DFL); /* a shell has its background processes ignore it */

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_sent_before_there_is_a_handler_waits_for_it),
		cmocka_unit_test(a_child_that_must_go_at_once_goes),
		cmocka_unit_test(a_child_finds_what_is_planned_at_its_numbers_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
