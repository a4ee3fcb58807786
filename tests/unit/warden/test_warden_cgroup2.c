/*
 * The files the warden opens, on a cgroup v2 of the kernel's, with what poolmgr and workers do with them as another user. Where
 * the machine itself has cgroup v1, the freezer, cgroup.kill and processor time of v2 work all the same in a hierarchy that is
 * mounted for the test; memory does not, it belongs to v1 there.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/sandbox/cgroup.h"
#include "run/meter.h"
#include "warden/warden.h"

#define ID         "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TIMEOUT_US INT64_C(10000000)
#define LIFE_US    (3 * TIMEOUT_US) /* should the test be killed itself */
#define NOBODY     65534

static char *dir;       /* the hierarchy is mounted there, for this process and its children only */
static char *top, *own; /* DIR/berth-test-PID and the container's cgroup in it */
static char *membership;
static struct cgroup cgroup = CGROUP_NONE;

static void say(const char *of, const char *name, const char *what)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", of, name);

	unit_write_file(path, what);
}

static bool says(const char *name, const char *wanted)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", own, name);
	char text[4096];
	FILE *in = fopen(path, "re");

	assert_non_null(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	return wanted[0] == '\0' ? text[0] == '\0' : strstr(text, wanted) != NULL;
}

static void wait_until_it_says(const char *name, const char *wanted)
{
	int64_t start_us = clock_mono_us();

	while (!says(name, wanted)) {
		if (clock_mono_us() - start_us > TIMEOUT_US)
			fail_msg("%s does not say '%s'", name, wanted);
		usleep(1000);
	}
}

/* Goes on as its own child, again and again. */
static void spin_and_fork(void)
{
	for (int64_t end_us = clock_mono_us() + LIFE_US; clock_mono_us() < end_us;)
		if (fork() > 0)
			_exit(0);
	_exit(0);
}

/* A process of another user that is in the cgroup before it does anything. */
static void start_in_cgroup(void)
{
	int go[2];
	char text[16], byte;

	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	fflush(NULL);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(go[1]);
		if (setgid(NOBODY) == 0 && setuid(NOBODY) == 0 && read(go[0], &byte, 1) == 1)
			spin_and_fork();
		_exit(1);
	}
	snprintf(text, sizeof(text), "%d", pid);
	say(own, "cgroup.procs", text);
	assert_int_equal(write(go[1], "g", 1), 1);
	close(go[0]);
	close(go[1]);
}

/* How much processor time a tenth of a second costs. */
static int64_t cpu_us_in_a_while(void)
{
	struct meter m = METER_NONE;

	m.cpu_fd = cgroup.fds[CGROUP_CPU];
	meter_begin(&m, 1);
	usleep(100000);
	meter_read(&m, 1);
	assert_true(m.cpu_us >= 0);
	return m.cpu_us;
}

/* As poolmgr, which is not root. */
static void as_nobody(void (*body)(struct cgroup *c))
{
	assert_int_equal(seteuid(NOBODY), 0);
	body(&cgroup);
	assert_int_equal(seteuid(0), 0);
}

static void open_it(void)
{
	AUTO(warden_mounts_clear) struct warden_mounts mounts = {.unified = mem_strdup(dir)};
	struct err err;

	assert_ok(warden_open_as(&mounts, ID, membership, cgroup.fds, &cgroup.version, &err));
	assert_int_equal(cgroup.version, 2);
}

static void what_is_frozen_uses_no_processor_time_and_goes_on_when_it_is_thawed(void **state)
{
	if (*state == NULL)
		UNIT_SKIP("no cgroup v2");
	open_it();
	start_in_cgroup();
	assert_true(cpu_us_in_a_while() > 0);
	as_nobody(cgroup_freeze);
	assert_true(cgroup.frozen);
	wait_until_it_says("cgroup.events", "frozen 1");
	assert_int_equal(cpu_us_in_a_while(), 0);
	as_nobody(cgroup_thaw);
	wait_until_it_says("cgroup.events", "frozen 0");
	assert_true(cpu_us_in_a_while() > 0);
}

static void everybody_is_killed_though_they_were_forking_all_the_time(void **state)
{
	if (*state == NULL)
		UNIT_SKIP("no cgroup v2");
	open_it();
	for (int i = 0; i < 4; i++)
		start_in_cgroup();
	assert_true(cpu_us_in_a_while() > 0);
	as_nobody(cgroup_kill);
	wait_until_it_says("cgroup.procs", "");
	assert_false(cgroup.frozen);
}

static void everybody_is_killed_who_was_frozen(void **state)
{
	if (*state == NULL)
		UNIT_SKIP("no cgroup v2");
	open_it();
	start_in_cgroup();
	as_nobody(cgroup_freeze);
	wait_until_it_says("cgroup.events", "frozen 1");
	as_nobody(cgroup_kill);
	wait_until_it_says("cgroup.procs", "");
	assert_false(cgroup.frozen);
}

static void when_the_cgroup_is_gone_nothing_is_known_and_nothing_is_done(void **state)
{
	struct meter m = METER_NONE;

	if (*state == NULL)
		UNIT_SKIP("no cgroup v2");
	open_it();
	m.cpu_fd = cgroup.fds[CGROUP_CPU];
	meter_begin(&m, 1);
	meter_read(&m, 1);
	assert_int_equal(m.cpu_us, 0);
	assert_int_equal(rmdir(own), 0);
	meter_read(&m, 1);
	assert_int_equal(m.cpu_us, -1);
	cgroup_freeze(&cgroup);
	assert_false(cgroup.frozen);
	cgroup_kill(&cgroup);
}

/* Why there is no hierarchy to test with; NULL: there is one. */
static const char *mount_it(void)
{
	if (geteuid() != 0)
		return "not root";
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) < 0)
		return "no mounts of our own";
	if (mount("none", dir, "cgroup2", 0, NULL) < 0)
		return "no cgroup v2 can be mounted";
	if (mkdir(top, 0755) < 0 || mkdir(own, 0755) < 0)
		return "no cgroup can be made";
	return NULL;
}

static int each(void **state)
{
	(void)state;
	signal(SIGCHLD, SIG_IGN); /* nobody waits for them */
	dir = unit_make_dir();
	top = mem_printf("%s/berth-test-%d", dir, getpid());
	own = mem_printf("%s/%s", top, ID);
	membership = mem_printf("0::/berth-test-%d/%s\n", getpid(), ID);
	const char *why = mount_it();
	if (why != NULL)
		print_message("skipped: %s\n", why);
	*state = why == NULL ? dir : NULL;
	return 0;
}

static int nothing_is_left(void **state)
{
	int64_t start_us = clock_mono_us();

	cgroup_close(&cgroup);
	cgroup = CGROUP_NONE;
	if (*state != NULL) {
		while (rmdir(own) < 0 && errno == EBUSY && clock_mono_us() - start_us < TIMEOUT_US) {
			say(own, "cgroup.kill", "1"); /* not with the code under test */
			usleep(1000);
		}
		assert_int_equal(rmdir(top), 0);
	}
	umount2(dir, MNT_DETACH); /* in any case, before what is below it is removed */
	signal(SIGCHLD, SIG_DFL);
	mem_free(&membership);
	mem_free(&own);
	mem_free(&top);
	unit_remove_dir(&dir);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, nothing_is_left)
	const struct CMUnitTest tests[] = {
		TEST(what_is_frozen_uses_no_processor_time_and_goes_on_when_it_is_thawed),
		TEST(everybody_is_killed_though_they_were_forking_all_the_time),
		TEST(everybody_is_killed_who_was_frozen),
		TEST(when_the_cgroup_is_gone_nothing_is_known_and_nothing_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
