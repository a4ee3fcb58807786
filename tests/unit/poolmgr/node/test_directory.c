/* The directories of sandboxes. */
#include "poolmgr/node/directory.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/poolmgr/rig.h"

#define ID  "00112233445566ff"
#define UID 200007

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
	int fd = directory_make(ID, UID, &err);

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
	struct stat st;

	(void)state;
	umask(before);
	assert_int_equal(fstatat(fd, DIRECTORY_MOUNTED, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fstatat(fd, DIRECTORY_FUNCTION, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(fstatat(fd, DIRECTORY_PASSWD, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(fstatat(fd, DIRECTORY_GROUP, &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	remove_it();
}

static void the_sandboxs_own_user_and_group_have_names_and_so_do_root_and_nobody(void **state)
{
	AUTO(fd_close) int fd = made();
	FILE *passwd = fdopen(openat(fd, DIRECTORY_PASSWD, O_RDONLY), "r");
	FILE *group = fdopen(openat(fd, DIRECTORY_GROUP, O_RDONLY), "r");
	static const char *const users[] = {"root", "sandbox", "nobody"}, *const groups[] = {"root", "sandbox", "nogroup"};
	static const unsigned ids[] = {0, UID, 65534};
	struct passwd *user;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		user = fgetpwent(passwd);
		struct group *its = fgetgrent(group);
		assert_string_equal(user->pw_name, users[i]);
		assert_int_equal(user->pw_uid, ids[i]);
		assert_int_equal(user->pw_gid, ids[i]);
		assert_string_equal(its->gr_name, groups[i]);
		assert_int_equal(its->gr_gid, ids[i]);
		if (ids[i] == UID) {
			assert_string_equal(user->pw_dir, "/tmp");
			assert_string_equal(user->pw_shell, "/bin/sh");
		}
	}
	assert_null(fgetpwent(passwd));
	assert_null(fgetgrent(group));
	fclose(passwd);
	fclose(group);
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
	assert_fails(directory_make(ID, UID, &err), "sandboxes");
	remove_it();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, engine_rig_each)
	const struct CMUnitTest tests[] = {
		TEST(one_is_there_until_it_is_removed),
		TEST(one_is_owned_as_long_as_its_maker_has_it_open),
		TEST(what_is_mounted_can_be_read_by_all_whatever_the_umask_says),
		TEST(the_sandboxs_own_user_and_group_have_names_and_so_do_root_and_nobody),
		TEST(all_are_told),
		TEST(one_that_is_there_already_is_not_made_again),
	};

	return cmocka_run_group_tests(tests, set_up, engine_rig_tear_down);
}
