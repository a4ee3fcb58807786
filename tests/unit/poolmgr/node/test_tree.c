#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/node/tree.h"

struct place {
	char *dir;
	int fd;
};

static int set_up(void **state)
{
	struct place *p = mem_alloc(sizeof(*p));

	p->dir = unit_make_dir();
	p->fd = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return p->fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	fd_close(&p->fd);
	unit_remove_dir(&p->dir);
	free(p);
	return 0;
}

static void make_file(const struct place *p, const char *name, const char *text)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", p->dir, name);

	unit_write_file(path, text);
}

static void make_dir(const struct place *p, const char *name)
{
	assert_int_equal(mkdirat(p->fd, name, 0755), 0);
}

static bool exists(const struct place *p, const char *name)
{
	struct stat st;

	return fstatat(p->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A chain of directories "d/d/d/…", count deep, below name. */
static void make_chain(const struct place *p, const char *name, int count)
{
	make_dir(p, name);
	int at = openat(p->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 1; i < count; i++) {
		assert_int_equal(mkdirat(at, "d", 0755), 0);
		int below = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		fd_close(&at);
		at = below;
	}
	fd_close(&at);
}

/* ---- Removing ---- */

static void a_tree_is_removed_with_all_that_is_in_it(void **state)
{
	const struct place *p = *state;
	struct err err;

	make_dir(p, "top");
	make_dir(p, "top/sub");
	make_dir(p, "top/empty");
	make_file(p, "top/file", "1");
	make_file(p, "top/sub/.hidden", "2");
	make_file(p, "beside", "3");
	assert_int_equal(mknodat(p->fd, "top/pipe", S_IFIFO | 0600, 0), 0);
	int before = unit_open_fds();
	assert_ok(tree_remove(p->fd, "top", &err));
	assert_false(exists(p, "top"));
	assert_true(exists(p, "beside"));
	assert_int_equal(unit_open_fds(), before);
}

static void a_single_file_can_be_removed_too(void **state)
{
	const struct place *p = *state;
	struct err err;

	make_file(p, "file", "1");
	assert_ok(tree_remove(p->fd, "file", &err));
	assert_false(exists(p, "file"));
}

static void removing_what_is_not_there_is_no_error(void **state)
{
	const struct place *p = *state;
	struct err err;

	assert_ok(tree_remove(p->fd, "nothing", &err));
}

static void removing_follows_no_symbolic_link(void **state)
{
	const struct place *p = *state;
	struct err err;

	make_dir(p, "kept");
	make_file(p, "kept/file", "1");
	make_dir(p, "top");
	assert_int_equal(symlinkat("../kept", p->fd, "top/to_directory"), 0);
	assert_int_equal(symlinkat("../kept/file", p->fd, "top/to_file"), 0);
	assert_int_equal(symlinkat("nowhere", p->fd, "top/dangling"), 0);
	assert_ok(tree_remove(p->fd, "top", &err));
	assert_false(exists(p, "top"));
	assert_true(exists(p, "kept/file"));

	assert_int_equal(symlinkat("kept", p->fd, "link"), 0);
	assert_ok(tree_remove(p->fd, "link", &err));
	assert_false(exists(p, "link"));
	assert_true(exists(p, "kept/file"));
}

static void a_tree_of_sixty_directories_is_removed_and_a_bottomless_one_is_refused(void **state)
{
	const struct place *p = *state;
	struct err err;

	make_chain(p, "deep", 60);
	assert_ok(tree_remove(p->fd, "deep", &err));
	assert_false(exists(p, "deep"));

	make_chain(p, "deeper", 200);
	int before = unit_open_fds();
	assert_fails(tree_remove(p->fd, "deeper", &err), "remove 'd'");
	assert_int_equal(err.code, ELOOP);
	assert_int_equal(unit_open_fds(), before);
}

struct names {
	int files, directories, others;
};

static void what_a_tree_takes_on_the_disk_is_counted_without_following_links(void **state)
{
	const struct place *p = *state;

	make_dir(p, "tree");
	int64_t empty = tree_bytes(p->fd, "tree");
	AUTO(mem_free) char *text = mem_alloc(100001);
	memset(text, 'x', 100000);
	make_file(p, "outside", text);
	make_dir(p, "tree/sub");
	assert_int_equal(symlinkat("../outside", p->fd, "tree/link"), 0);
	assert_true(tree_bytes(p->fd, "tree") < empty + 100000);
	make_file(p, "tree/sub/file", text);
	sync();
	assert_true(tree_bytes(p->fd, "tree") >= empty + 100000);
	assert_int_equal(tree_bytes(p->fd, "nothing"), 0);
}

static void count_and_remove(int dir_fd, const char *name, void *arg)
{
	struct names *names = arg;

	if (strncmp(name, "file", 4) == 0)
		names->files++;
	else if (strcmp(name, "directory") == 0)
		names->directories++;
	else
		names->others++;
	assert_int_equal(tree_remove(dir_fd, name, NULL), 0);
}

static void each_name_is_told_once_and_may_be_removed_meanwhile(void **state)
{
	const struct place *p = *state;
	struct names names = {0};
	struct err err;
	char name[16];

	make_dir(p, "directory");
	make_file(p, "directory/below", "1");
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		make_file(p, name, "1");
	}
	assert_ok(tree_each(p->fd, count_and_remove, &names, &err));
	assert_int_equal(names.files, 50);
	assert_int_equal(names.directories, 1);
	assert_int_equal(names.others, 0);
	assert_ok(tree_each(p->fd, count_and_remove, &names, &err)); /* again from the start: now there is nothing */
	assert_int_equal(names.files, 50);
}

/* ---- Linking ---- */

/* Opens two directories below the place. */
static void open_both(const struct place *p, int *from, int *to)
{
	*from = openat(p->fd, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*to = openat(p->fd, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(*from >= 0 && *to >= 0);
}

static void linking_rebuilds_directories_and_shares_files(void **state)
{
	const struct place *p = *state;
	AUTO(fd_close) int from = -1, to = -1;
	struct stat a, b;
	struct err err;

	make_dir(p, "from");
	make_dir(p, "to");
	make_dir(p, "from/pkg");
	make_dir(p, "from/pkg/sub");
	make_dir(p, "from/empty");
	make_file(p, "from/main.py", "1");
	make_file(p, "from/pkg/sub/mod.py", "2");
	assert_int_equal(fchmodat(p->fd, "from/main.py", 0444, 0), 0);
	open_both(p, &from, &to);
	int before = unit_open_fds();
	mode_t mask = umask(077);
	int rc = tree_link(from, to, &err);
	umask(mask);
	assert_ok(rc);
	assert_int_equal(unit_open_fds(), before);

	assert_int_equal(fstatat(p->fd, "from/pkg/sub/mod.py", &a, 0), 0);
	assert_int_equal(fstatat(p->fd, "to/pkg/sub/mod.py", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(fstatat(p->fd, "to/main.py", &b, 0), 0);
	assert_int_equal(b.st_mode & 07777, 0444);
	assert_int_equal(b.st_nlink, 2);
	assert_int_equal(fstatat(p->fd, "to/empty", &b, 0), 0);
	assert_int_equal(b.st_mode & 07777, 0755);
	assert_int_equal(fstatat(p->fd, "to/pkg/sub", &b, 0), 0);
	assert_int_equal(b.st_mode & 07777, 0755);
}

static void linking_keeps_symbolic_links_as_they_are(void **state)
{
	const struct place *p = *state;
	AUTO(fd_close) int from = -1, to = -1;
	char target[64] = "";
	struct stat st;
	struct err err;

	make_dir(p, "from");
	make_dir(p, "to");
	make_dir(p, "secret");
	make_file(p, "secret/key", "1");
	assert_int_equal(symlinkat("../secret", p->fd, "from/directory"), 0);
	assert_int_equal(symlinkat("/etc/passwd", p->fd, "from/file"), 0);
	assert_int_equal(symlinkat("nowhere", p->fd, "from/dangling"), 0);
	open_both(p, &from, &to);
	assert_ok(tree_link(from, to, &err));
	assert_int_equal(fstatat(p->fd, "to/directory", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_true(readlinkat(p->fd, "to/file", target, sizeof(target) - 1) > 0);
	assert_string_equal(target, "/etc/passwd");
	assert_int_equal(fstatat(p->fd, "to/dangling", &st, AT_SYMLINK_NOFOLLOW), 0);
}

static void linking_into_a_directory_that_has_the_name_already_fails(void **state)
{
	const struct place *p = *state;
	AUTO(fd_close) int from = -1, to = -1;
	struct err err;

	make_dir(p, "from");
	make_dir(p, "to");
	make_file(p, "from/main.py", "new");
	make_file(p, "to/main.py", "old");
	open_both(p, &from, &to);
	assert_fails(tree_link(from, to, &err), "link 'main.py'");
}

static void linking_a_bottomless_tree_is_refused(void **state)
{
	const struct place *p = *state;
	AUTO(fd_close) int from = -1, to = -1;
	struct err err;

	make_chain(p, "from", 200);
	make_dir(p, "to");
	open_both(p, &from, &to);
	int before = unit_open_fds();
	assert_fails(tree_link(from, to, &err), "deeper than");
	assert_int_equal(unit_open_fds(), before);
}

static void a_directory_is_owned_as_long_as_its_maker_has_it_open(void **state)
{
	const struct place *p = *state;
	struct err err;

	int fd = tree_make_owned(p->fd, "mine", &err);
	assert_ok(fd);
	assert_true(tree_is_owned(p->fd, "mine"));
	make_file(p, "mine/file", "text");
	fd_close(&fd);
	assert_false(tree_is_owned(p->fd, "mine"));
	assert_true(exists(p, "mine/file"));
	assert_false(tree_is_owned(p->fd, "not-there"));
	assert_fails(tree_make_owned(p->fd, "mine", &err), "make directory 'mine'");
}

static void while_a_directory_is_being_made_nobody_can_say_that_it_is_nobodys(void **state)
{
	const struct place *p = *state;
	AUTO(fd_close) int birth = open(p->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(flock(birth, LOCK_SH), 0); /* another process is about to make and lock something */
	make_dir(p, "young");
	assert_true(tree_is_owned(p->fd, "young"));
	fd_close(&birth);
	assert_false(tree_is_owned(p->fd, "young"));
}

/* One that ran as another user has to see that this one is locked. */
static void what_is_owned_can_be_seen_by_the_group_of_where_it_lies(void **state)
{
	enum { OTHERS = 54321 };
	const struct place *p = *state;
	struct err err;
	struct stat st;

	if (geteuid() != 0)
		UNIT_SKIP("not root");
	AUTO(fd_close) int own = tree_make_owned(p->fd, "own", &err);
	assert_int_equal(fstat(own, &st), 0);
	assert_int_equal(st.st_gid, getegid());
	assert_int_equal(fchown(p->fd, (uid_t)-1, OTHERS), 0);
	assert_int_equal(fchmod(p->fd, 0770), 0);
	AUTO(fd_close) int shown = tree_make_owned(p->fd, "shown", &err);
	assert_int_equal(fstat(shown, &st), 0);
	assert_int_equal(st.st_gid, OTHERS);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_true(tree_is_owned(p->fd, "shown"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tree_is_removed_with_all_that_is_in_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_single_file_can_be_removed_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removing_what_is_not_there_is_no_error, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removing_follows_no_symbolic_link, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_tree_of_sixty_directories_is_removed_and_a_bottomless_one_is_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_a_tree_takes_on_the_disk_is_counted_without_following_links, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(each_name_is_told_once_and_may_be_removed_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(linking_rebuilds_directories_and_shares_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(linking_keeps_symbolic_links_as_they_are, set_up, tear_down),
		cmocka_unit_test_setup_teardown(linking_into_a_directory_that_has_the_name_already_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(linking_a_bottomless_tree_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_owned_can_be_seen_by_the_group_of_where_it_lies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_directory_is_owned_as_long_as_its_maker_has_it_open, set_up, tear_down),
		cmocka_unit_test_setup_teardown(while_a_directory_is_being_made_nobody_can_say_that_it_is_nobodys, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
