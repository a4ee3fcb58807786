/* Killing all processes in a cgroup of v1. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/warden/warden_rig.h"

/* ---- Killing ---- */

static char *top,
	*kernels; /* directories of the kernel's freezer: /sys/fs/cgroup/freezer/berth-test-<pid>[/<id>]; NULL: not made */

static int cgroup_open_file(const char *of, const char *name, int flags)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", of, name);
	int fd = open(path, flags | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void cgroup_say(const char *of, const char *name, const char *what)
{
	AUTO(fd_close) int fd = cgroup_open_file(of, name, O_WRONLY);

	assert_int_equal(write(fd, what, strlen(what)), strlen(what));
}

static void cgroup_read(const char *of, const char *name, char *text, size_t size)
{
	AUTO(fd_close) int fd = cgroup_open_file(of, name, O_RDONLY);
	ssize_t n = read(fd, text, size - 1);

	text[MAX(n, 0)] = '\0';
}

#define TIMEOUT_US INT64_C(20000000)

static bool says_within_timeout(const char *of, const char *name, const char *wanted)
{
	char text[4096];

	for (int64_t start_us = clock_mono_us(); clock_mono_us() - start_us < TIMEOUT_US; usleep(1000)) {
		cgroup_read(of, name, text, sizeof(text));
		if (strcmp(text, wanted) == 0)
			return true;
	}
	return false;
}

static bool make_cgroups(void)
{
	AUTO(mem_free) char *path = mem_printf("/sys/fs/cgroup/freezer/berth-test-%d", getpid());
	AUTO(mem_free) char *below = mem_printf("%s/%s", path, ID);
	AUTO(mem_free) char *freezer = mem_printf("%s/freezer.state", path);

	if (mkdir(path, 0755) < 0) {
		print_message("skipped: the freezer of cgroup v1 is not at /sys/fs/cgroup/freezer, or not ours to write: %s\n",
			      strerror(errno));
		return false;
	}
	top = TAKE_PTR(path);
	if (access(freezer, W_OK) < 0 || mkdir(below, 0755) < 0) {
		print_message("skipped: /sys/fs/cgroup/freezer is no freezer of cgroup v1: %s\n", strerror(errno));
		return false;
	}
	kernels = TAKE_PTR(below);
	return true;
}

/* The test does not use the code under test for this. */
static void kill_everybody(void)
{
	char text[4096], *rest;

	cgroup_say(kernels, "freezer.state", "FROZEN");
	cgroup_read(kernels, "cgroup.procs", text, sizeof(text));
	for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
		kill(atoi(line), SIGKILL);
	cgroup_say(kernels, "freezer.state", "THAWED");
}

static void remove_cgroups(void)
{
	int64_t start_us = clock_mono_us();

	while (kernels != NULL && rmdir(kernels) < 0 && clock_mono_us() - start_us < TIMEOUT_US) {
		kill_everybody();
		usleep(1000);
	}
	while (top != NULL && rmdir(top) < 0 && clock_mono_us() - start_us < TIMEOUT_US)
		usleep(1000);
	mem_free(&kernels);
	mem_free(&top);
}

#define BOMBS       4
#define BOMB_LIFE_S 30 /* in case the test itself is killed */

/* Continues as its own child, again and again, so that any list of processes is out of date when it is read. */
static void keep_forking(void)
{
	for (int64_t end_us = clock_mono_us() + BOMB_LIFE_S * INT64_C(1000000); clock_mono_us() < end_us;) {
		if (fork() > 0)
			_exit(0);
	}
	_exit(0);
}

/* Starts a process in the cgroup, which runs body. */
static pid_t start_in_cgroup(const char *of, void (*body)(void))
{
	AUTO(mem_free) char *procs = mem_printf("%s/cgroup.procs", of);
	int go[2];
	char byte;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) == 1)
			body();
		_exit(0);
	}
	close(go[0]);
	char text[16];
	snprintf(text, sizeof(text), "%d", pid);
	cgroup_say(of, "cgroup.procs", text);
	assert_int_equal(write(go[1], "g", 1), 1);
	close(go[1]);
	return pid;
}

static void sleep_on(void)
{
	alarm(BOMB_LIFE_S);
	for (;;)
		pause();
}

static void everybody_in_a_frozen_cgroup_is_killed_though_they_were_forking_all_the_time(void **state)
{
	struct err err;

	(void)state;
	if (!make_cgroups())
		UNIT_SKIP("no cgroup can be made");
	signal(SIGCHLD, SIG_IGN); /* they are not waited for */
	AUTO(fd_close) int procs = cgroup_open_file(kernels, "cgroup.procs", O_RDONLY);
	AUTO(fd_close) int freezer = cgroup_open_file(kernels, "freezer.state", O_WRONLY);
	for (int i = 0; i < BOMBS; i++)
		start_in_cgroup(kernels, keep_forking);
	start_in_cgroup(kernels, sleep_on);
	cgroup_say(kernels, "freezer.state", "FROZEN");
	assert_true(says_within_timeout(kernels, "freezer.state", "FROZEN\n"));
	int killed = warden_kill(procs, freezer, &err);
	assert_ok(killed);
	assert_true(killed >= BOMBS + 1); /* it may be more, because parents may have been frozen before their end */
	assert_true(says_within_timeout(kernels, "cgroup.procs", ""));
	assert_true(says_within_timeout(kernels, "freezer.state", "THAWED\n"));

	assert_int_equal(warden_kill(procs, freezer, &err), 0); /* there is no process any more */
	assert_int_equal(rmdir(kernels), 0);
	mem_free(&kernels);
	assert_int_equal(warden_kill(procs, freezer, &err), 0); /* there is no cgroup either */
	signal(SIGCHLD, SIG_DFL);
}

static void nobody_is_killed_in_a_cgroup_that_is_no_containers(void **state)
{
	struct err err;
	int status;

	(void)state;
	if (!make_cgroups())
		UNIT_SKIP("no cgroup can be made");
	pid_t pid = start_in_cgroup(top, sleep_on);
	AUTO(fd_close) int procs = cgroup_open_file(top, "cgroup.procs", O_RDONLY);
	AUTO(fd_close) int freezer = cgroup_open_file(top, "freezer.state", O_WRONLY);
	AUTO(fd_close) int good_procs = cgroup_open_file(kernels, "cgroup.procs", O_RDONLY);
	AUTO(fd_close) int good_freezer = cgroup_open_file(kernels, "freezer.state", O_WRONLY);
	AUTO(fd_close) int tasks = cgroup_open_file(kernels, "tasks", O_RDONLY);
	const int refused[][2] = {
		{procs, freezer},      {procs, good_freezer},    {good_procs, freezer}, {good_freezer, good_procs},
		{tasks, good_freezer}, {good_procs, good_procs}, {-1, good_freezer},    {good_procs, -1},
	};
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_fails(warden_kill(refused[i][0], refused[i][1], &err), "not the files of a container's cgroup");
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* alive */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static void nobody_is_killed_by_files_that_only_have_the_names(void **state)
{
	AUTO(mem_free) char *procs_path = mem_printf("%s/freezer/docker/%s/cgroup.procs", scratch_dir, ID);
	AUTO(mem_free) char *freezer_path = mem_printf("%s/freezer/docker/%s/freezer.state", scratch_dir, ID);
	struct err err;
	int status, ends[2];

	(void)state;
	make_v1("/docker/" ID);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		sleep_on();
	AUTO(mem_free) char *text = mem_printf("%d\n", pid);
	unit_write_file(procs_path, text);
	AUTO(fd_close) int procs = open(procs_path, O_RDONLY | O_CLOEXEC);
	AUTO(fd_close) int freezer = open(freezer_path, O_WRONLY | O_CLOEXEC);
	assert_fails(warden_kill(procs, freezer, &err), "not the files of a container's cgroup");
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_fails(warden_kill(ends[0], ends[1], &err), "not the files of a container's cgroup");
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0); /* alive */
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

static int nothing_is_left(void **state)
{
	remove_cgroups();
	return warden_rig_nothing_is_left(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, warden_rig_each, nothing_is_left)
		TEST(everybody_in_a_frozen_cgroup_is_killed_though_they_were_forking_all_the_time),
		TEST(nobody_is_killed_in_a_cgroup_that_is_no_containers),
		TEST(nobody_is_killed_by_files_that_only_have_the_names),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
