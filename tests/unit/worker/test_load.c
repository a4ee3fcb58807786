#include "worker/load.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "tests/unit/unit.h"

#define TIMEOUT_US 20000000

static void looking_opens_one_file_and_closes_it(void **state)
{
	int fds = unit_open_fds();
	struct load *load = load_new();

	(void)state;
	assert_int_equal(unit_open_fds(), fds + 1);
	for (int i = 0; i < 100; i++)
		load_has_idle(load);
	load_free(&load);
	assert_null(load);
	load_free(&load);
	assert_int_equal(unit_open_fds(), fds);
}

static pid_t spin(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (volatile int i = 0;; i++)
			;
	}
	return pid;
}

/* What else runs on the machine can make it busy, but not idle. */
static void more_work_than_processors_leaves_none_idle(void **state)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN) + 1;
	pid_t *pids = calloc((size_t)count, sizeof(*pids));
	int64_t deadline_us = clock_mono_us() + TIMEOUT_US;
	struct load *load = load_new();
	bool idle = true;

	(void)state;
	for (long i = 0; i < count; i++)
		pids[i] = spin();
	while (idle && clock_mono_us() < deadline_us)
		idle = load_has_idle(load);
	for (long i = 0; i < count; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	free(pids);
	load_free(&load);
	assert_false(idle);
}

/* As where /proc is not mounted: no descriptor is left to open it with. */
static void without_numbers_there_is_always_one_idle(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	if (pid == 0) {
		while (open("/dev/null", O_RDONLY) >= 0)
			;
		struct load *load = load_new();
		bool idle = load_has_idle(load);
		load_free(&load);
		_exit(idle ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(looking_opens_one_file_and_closes_it),
		cmocka_unit_test(more_work_than_processors_leaves_none_idle),
		cmocka_unit_test(without_numbers_there_is_always_one_idle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
