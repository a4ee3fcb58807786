/* The directories of sandboxes. */
#include "poolmgr/node/directory.h"

#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/poolmgr/rig.h"

#define ID "00112233445566ff"

static int set_up(void **state)
{
	int rc = engine_rig_set_up(state);
	struct err err;

	assert_ok(directory_init(rig.loop, rig.conf, &err));
	return rc;
}

static int made(void)
{
	struct err err;
	int fd = directory_make(ID, &err);

	assert_ok(fd);
	return fd;
}

static void on_removed(bool removed, void *arg)
{
	assert_true(removed);
	*(bool *)arg = true;
}

static void remove_it(void)
{
	bool done = false;

	directory_remove(ID, on_removed, &done);
	assert_false(done); /* never called from within the call */
	WAIT_FOR(done);
}

static void one_is_there_until_it_is_removed(void **state)
{
	AUTO(fd_close) int fd = made();

	(void)state;
	assert_true(directory_exists(ID));
	assert_true(rig_exists("sandboxes/" ID "/" DIRECTORY_MOUNTED));
	assert_false(directory_is_gone(fd));
	remove_it();
	assert_false(directory_exists(ID));
	assert_true(directory_is_gone(fd));
	remove_it(); /* removing what does not exist succeeds */
}

static void one_is_owned_as_long_as_its_maker_has_it_open(void **state)
{
	int fd = made();

	(void)state;
	assert_true(directory_is_owned(ID));
	fd_close(&fd);
	assert_false(directory_is_owned(ID));
	remove_it();
}

/* Holds for every user that the sandbox may run as. */
static void what_is_mounted_can_be_read_by_all_whatever_the_umask_says(void **state)
{
	mode_t before = umask(0077);
	AUTO(fd_close) int fd = made();
	AUTO(mem_free) char *path = directory_mounted_path(ID);
	struct stat st;

	(void)state;
	umask(before);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fstatat(fd, DIRECTORY_FUNCTION, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	remove_it();
}

static void count(const char *id, void *arg)
{
	assert_string_equal(id, ID);
	++*(int *)arg;
}

static void all_are_told(void **state)
{
	AUTO(fd_close) int fd = made();
	struct err err;
	int n = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_ok(directory_each(count, &n, &err));
	assert_int_equal(n, 1);
	remove_it();
	assert_ok(directory_each(count, &n, &err));
	assert_int_equal(n, 1);
}

static void one_that_is_there_already_is_not_made_again(void **state)
{
	AUTO(fd_close) int fd = made();
	struct err err;

	(void)state;
	assert_true(fd >= 0);
	assert_fails(directory_make(ID, &err), "sandboxes");
	remove_it();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, engine_rig_each)
	const struct CMUnitTest tests[] = {
		TEST(one_is_there_until_it_is_removed),
		TEST(one_is_owned_as_long_as_its_maker_has_it_open),
		TEST(what_is_mounted_can_be_read_by_all_whatever_the_umask_says),
		TEST(all_are_told),
		TEST(one_that_is_there_already_is_not_made_again),
	};

	return cmocka_run_group_tests(tests, set_up, engine_rig_tear_down);
}
