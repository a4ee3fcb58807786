/* confine.h: in a process of its own, which says at which question the answer was wrong. */
#include "warden/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

static struct fixture {
	char *dir, *granted, *inside, *outside;
} f;

static bool has_landlock(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static bool is_under_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

/* What open(2) says: 0, or errno. */
static int opening(const char *path, int flags)
{
	AUTO(fd_close) int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd < 0 ? errno : 0;
}

/* The line of the first wrong answer, 0: none. */
#define ASK(condition)                                                                                                         \
	do {                                                                                                                   \
		if (!(condition))                                                                                              \
			return __LINE__;                                                                                       \
	} while (0)

static int look_at_files(void)
{
	ASK(opening(f.inside, O_RDONLY) == 0);
	ASK(opening("/proc/self/status", O_RDONLY) == 0);
	ASK(opening("/dev/null", O_RDWR) == 0);
	ASK(opening(f.inside, O_WRONLY) == EACCES);
	ASK(opening(f.outside, O_RDONLY) == EACCES);
	ASK(opening(f.outside, O_WRONLY) == EACCES);
	ASK(opening("/etc/passwd", O_RDONLY) == EACCES);
	ASK(opening(f.dir, O_RDONLY | O_DIRECTORY) == EACCES);
	ASK(opening(f.granted, O_WRONLY | O_TMPFILE) != 0);
	ASK(opening("/proc/self/comm", O_WRONLY) == EACCES);
	return 0;
}

static int look_at_calls(void)
{
	char *const nothing[] = {NULL};

	ASK(kill(getpid(), 0) == 0);
	ASK(socket(AF_UNIX, SOCK_STREAM, 0) < 0 && errno == EPERM);
	ASK(fork() < 0 && errno == EPERM);
	ASK(execve("/bin/true", nothing, nothing) < 0 && errno == EPERM);
	ASK(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) < 0 && errno == EPERM);
	ASK(truncate(f.outside, 0) < 0 && errno == EPERM);
	ASK(opening(f.inside, O_RDONLY | O_TRUNC) == EPERM); /* Landlock takes it for reading */
	ASK(opening(f.inside, O_RDONLY | O_CREAT) == EPERM);
	ASK(unlink(f.outside) < 0 && errno == EPERM);
	ASK(chmod(f.outside, 0777) < 0 && errno == EPERM);
	ASK(setuid(0) < 0 && errno == EPERM);
	return 0;
}

/* Where the first wrong answer is to what a process that is confined asks. */
static int wrong_answer(int (*questions)(void))
{
	const struct warden_mounts nowhere = {0};
	int status, line, said[2];

	assert_int_equal(pipe(said), 0);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		line = confine(&nowhere, f.granted, NULL) < 0 ? -1 : questions();
		_exit(write(said[1], &line, sizeof(line)) == (ssize_t)sizeof(line) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(said[0], &line, sizeof(line)), sizeof(line));
	close(said[0]);
	close(said[1]);
	return line;
}

static void only_files_of_its_work_can_be_opened(void **state)
{
	(void)state;
	if (!has_landlock())
		UNIT_SKIP("no Landlock");
	assert_int_equal(wrong_answer(look_at_files), 0);
}

static void there_are_no_calls_that_its_work_does_not_take(void **state)
{
	struct stat inside;

	(void)state;
#ifdef __SANITIZE_ADDRESS__
	UNIT_SKIP("sanitizers make calls of their own");
#endif
	if (is_under_valgrind())
		UNIT_SKIP("under valgrind, which makes calls of its own");
	assert_int_equal(wrong_answer(look_at_calls), 0);
	assert_int_equal(access(f.outside, F_OK), 0);
	assert_int_equal(stat(f.inside, &inside), 0);
	assert_int_equal(inside.st_size, 1);
}

static void a_directory_that_is_not_there_is_left_out(void **state)
{
	AUTO(mem_free) char *granted = f.granted;

	(void)state;
	if (!has_landlock())
		UNIT_SKIP("no Landlock");
	f.granted = mem_printf("/nonexistent %s  /nonexistent/too", granted);
	assert_int_equal(wrong_answer(look_at_files), 0);
}

static int each(void **state)
{
	(void)state;
	f.dir = unit_make_dir();
	f.granted = mem_printf("%s/granted", f.dir);
	f.inside = mem_printf("%s/granted/file", f.dir);
	f.outside = mem_printf("%s/file", f.dir);
	assert_int_equal(mkdir(f.granted, 0700), 0);
	unit_write_file(f.inside, "x");
	unit_write_file(f.outside, "x");
	return 0;
}

static int nothing_is_left(void **state)
{
	(void)state;
	unit_remove_dir(&f.dir);
	mem_free(&f.granted);
	mem_free(&f.inside);
	mem_free(&f.outside);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, each, nothing_is_left)
	const struct CMUnitTest tests[] = {
		TEST(only_files_of_its_work_can_be_opened),
		TEST(there_are_no_calls_that_its_work_does_not_take),
		TEST(a_directory_that_is_not_there_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
