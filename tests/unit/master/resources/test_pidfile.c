#include "master/resources/pidfile.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

struct run_dir {
	char *path;
	int fd;
};

static void run_dir_remove(struct run_dir *dir)
{
	fd_close(&dir->fd);
	unit_remove_dir(&dir->path);
}

static struct run_dir run_dir_make(void)
{
	struct run_dir dir = {.path = unit_make_dir()};

	dir.fd = open(dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir.fd >= 0);
	return dir;
}

static void the_file_names_its_process_and_everyone_may_read_it(void **state)
{
	AUTO(run_dir_remove) struct run_dir dir = run_dir_make();
	AUTO(mem_free) char *path = mem_printf("%s/" PIDFILE_NAME, dir.path);
	AUTO(mem_free) char *text = NULL;
	struct stat st;
	struct err err;

	(void)state;
	mode_t old = umask(077);
	AUTO(fd_close) int lock = pidfile_lock(dir.fd, &err);
	umask(old);
	assert_ok(lock);
	assert_ok(fd_read_file(path, 100, &text, NULL, &err));
	assert_int_equal(atoi(text), getpid());
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_true((fcntl(lock, F_GETFD) & FD_CLOEXEC) != 0);
}

static void a_second_one_is_refused_and_told_who_is_first(void **state)
{
	AUTO(run_dir_remove) struct run_dir dir = run_dir_make();
	AUTO(mem_free) char *pid = mem_printf("(pid %d)", (int)getpid());
	struct err err;

	(void)state;
	AUTO(fd_close) int lock = pidfile_lock(dir.fd, &err);
	assert_ok(lock);
	int before = unit_open_fds();
	assert_fails(pidfile_lock(dir.fd, &err), pid);
	assert_fails(pidfile_lock(dir.fd, &err), "another berthd");
	assert_int_equal(unit_open_fds(), before);
}

static void a_file_left_by_a_process_that_died_is_taken_over(void **state)
{
	AUTO(run_dir_remove) struct run_dir dir = run_dir_make();
	AUTO(mem_free) char *path = mem_printf("%s/" PIDFILE_NAME, dir.path);
	AUTO(mem_free) char *text = NULL;
	struct err err;

	(void)state;
	unit_write_file(path, "123456789012345678901234567890\n");
	AUTO(fd_close) int lock = pidfile_lock(dir.fd, &err);
	assert_ok(lock);
	assert_ok(fd_read_file(path, 100, &text, NULL, &err));
	assert_int_equal(atoi(text), getpid());
	assert_int_equal(strcspn(text, "\n"), strlen(text) - 1);
}

static void after_removal_the_next_one_can_start(void **state)
{
	AUTO(run_dir_remove) struct run_dir dir = run_dir_make();
	struct err err;

	(void)state;
	for (int i = 0; i < 2; i++) {
		int lock = pidfile_lock(dir.fd, &err);
		assert_ok(lock);
		pidfile_remove(dir.fd, &lock);
		assert_int_equal(lock, -1);
		assert_int_equal(faccessat(dir.fd, PIDFILE_NAME, F_OK, 0), -1);
	}
}

static void removing_without_a_lock_leaves_another_ones_file(void **state)
{
	AUTO(run_dir_remove) struct run_dir dir = run_dir_make();
	int none = -1;
	struct err err;

	(void)state;
	AUTO(fd_close) int lock = pidfile_lock(dir.fd, &err);
	assert_ok(lock);
	pidfile_remove(dir.fd, &none);
	assert_int_equal(faccessat(dir.fd, PIDFILE_NAME, F_OK, 0), 0);
}

static void who_inherits_the_lock_becomes_the_one_the_file_names(void **state)
{
	AUTO(run_dir_remove) struct run_dir dir = run_dir_make();
	AUTO(run_dir_remove) struct run_dir other = run_dir_make();
	AUTO(mem_free) char *path = mem_printf("%s/" PIDFILE_NAME, dir.path);
	AUTO(mem_free) char *text = NULL;
	struct err err;

	(void)state;
	int before = pidfile_lock(dir.fd, &err);
	assert_ok(before);
	AUTO(fd_close) int inherited = dup(before);
	assert_int_equal(pwrite(before, "1234567890\n", 11, 0), 11); /* another process, with a longer number */
	assert_ok(pidfile_check_inherited(dir.fd, inherited, &err));
	assert_ok(pidfile_write(inherited, &err));
	fd_close(&before);
	assert_fails(pidfile_lock(dir.fd, &err), "another berthd");
	assert_ok(fd_read_file(path, 100, &text, NULL, &err));
	assert_int_equal(atoi(text), getpid());
	assert_int_equal(strcspn(text, "\n"), strlen(text) - 1);

	assert_fails(pidfile_check_inherited(other.fd, inherited, &err), "not the run directory of the berthd that runs");
	assert_fails(pidfile_check_inherited(dir.fd, -1, &err), "not the run directory");
}

static void a_symbolic_link_is_not_followed(void **state)
{
	AUTO(run_dir_remove) struct run_dir dir = run_dir_make();
	struct err err;

	(void)state;
	assert_int_equal(symlinkat("elsewhere", dir.fd, PIDFILE_NAME), 0);
	assert_fails(pidfile_lock(dir.fd, &err), "open " PIDFILE_NAME);
}

static void who_holds_the_lock_is_told_and_nobody_when_the_file_is_only_left_over(void **state)
{
	AUTO(run_dir_remove) struct run_dir dir = run_dir_make();
	AUTO(mem_free) char *path = mem_printf("%s/" PIDFILE_NAME, dir.path);
	struct err err;

	(void)state;
	assert_int_equal(pidfile_owner(dir.path), 0);
	unit_write_file(path, "4711\n");
	assert_int_equal(pidfile_owner(dir.path), 0);
	AUTO(fd_close) int lock = pidfile_lock(dir.fd, &err);
	assert_ok(lock);
	int before = unit_open_fds();
	assert_int_equal(pidfile_owner(dir.path), getpid());
	assert_int_equal(unit_open_fds(), before);
	fd_close(&lock);
	assert_int_equal(pidfile_owner(dir.path), 0);
	lock = pidfile_lock(dir.fd, &err); /* asking has left nothing behind */
	assert_ok(lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_names_its_process_and_everyone_may_read_it),
		cmocka_unit_test(a_second_one_is_refused_and_told_who_is_first),
		cmocka_unit_test(a_file_left_by_a_process_that_died_is_taken_over),
		cmocka_unit_test(after_removal_the_next_one_can_start),
		cmocka_unit_test(removing_without_a_lock_leaves_another_ones_file),
		cmocka_unit_test(who_inherits_the_lock_becomes_the_one_the_file_names),
		cmocka_unit_test(a_symbolic_link_is_not_followed),
		cmocka_unit_test(who_holds_the_lock_is_told_and_nobody_when_the_file_is_only_left_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
