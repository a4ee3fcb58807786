#include "master/resources/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/master/place.h"

#define SPOOLED "spool/01a22a68-a863-700c-aaa2-5443245dd216.spool"

/* Nobody's, as far as this machine is concerned. The one before ran everything as INVOKE. */
enum { INVOKE = 61001, POOL = 61002, COLLECTOR = 61003, SANDBOX = 200007 };

/* As root: each role has its user. */
static void have_users(struct place *p)
{
	p->id.can_switch = true;
	p->id.accounts[CHILD_INVOKE] = (struct account){.uid = INVOKE, .gid = INVOKE};
	p->id.accounts[CHILD_POOLMGR] = (struct account){.uid = POOL, .gid = POOL};
	p->id.accounts[CHILD_COLLECTOR] = (struct account){.uid = COLLECTOR, .gid = COLLECTOR};
}

static void make_state_dirs(const struct place *p, bool shared)
{
	struct err err;
	AUTO(fd_close) int fd = layout_state_dir(p->conf, &p->id, shared, &err);

	assert_ok(fd);
}

static void settle(const struct place *p)
{
	struct err err;
	AUTO(fd_close) int fd = open(p->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_ok(layout_settle(fd, p->conf, &p->id, &err));
}

static struct stat look_at(const char *dir, const char *name)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", dir, name);
	struct stat st;

	if (lstat(path, &st) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return st;
}

static mode_t mode_of(const char *dir, const char *name)
{
	return look_at(dir, name).st_mode & 07777;
}

static void assert_held(const struct place *p, const char *name, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st = look_at(p->state_dir, name);

	if (st.st_uid != uid || st.st_gid != gid || (st.st_mode & 07777) != mode)
		fail_msg("%s belongs to %u:%u and has mode %o, not %u:%u and %o", name, st.st_uid, st.st_gid,
			 st.st_mode & 07777, uid, gid, mode);
}

static bool is_there(const struct place *p, const char *name)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", p->state_dir, name);

	return access(path, F_OK) == 0;
}

static void make(const struct place *p, const char *name, bool is_dir, uid_t uid, mode_t mode)
{
	AUTO(mem_free) char *path = mem_printf("%s/%s", p->state_dir, name);

	if (is_dir)
		assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	else
		unit_write_file(path, "x");
	assert_int_equal(lchown(path, uid, uid), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void directories_are_made_with_their_parents_whatever_the_umask(void **state)
{
	AUTO(place_free) struct place p = place_make();
	struct err err;

	(void)state;
	mode_t old = umask(0177);
	AUTO(fd_close) int run_dir_fd = layout_run_dir(p.conf, &p.id, &err);
	AUTO(fd_close) int state_dir_fd = layout_state_dir(p.conf, &p.id, false, &err);
	umask(old);
	assert_ok(run_dir_fd);
	assert_ok(state_dir_fd);
	assert_int_equal(mode_of(p.dir, "a"), 0755);
	assert_int_equal(mode_of(p.run_dir, "."), 0755);
	assert_int_equal(mode_of(p.state_dir, "."), 0755);
	assert_int_equal(mode_of(p.state_dir, "sandboxes"), 0700);
	assert_int_equal(mode_of(p.state_dir, "cache"), 0700);
	assert_int_equal(mode_of(p.state_dir, "spool"), 01730);
	assert_int_equal(mode_of(p.state_dir, "spool/rejected"), 0700);
	assert_int_equal(mode_of(p.state_dir, "uids"), 0600);
	assert_int_equal(fchdir(state_dir_fd), 0);
	assert_int_equal(access("sandboxes", F_OK), 0);
	assert_int_equal(chdir("/"), 0);
}

static void directories_that_are_there_are_kept_but_private_ones_are_closed(void **state)
{
	AUTO(place_free) struct place p = place_make();
	AUTO(mem_free) char *spool = mem_printf("%s/spool", p.state_dir);
	AUTO(mem_free) char *file = mem_printf("%s/kept", spool);

	(void)state;
	make_state_dirs(&p, false);
	unit_write_file(file, "x");
	assert_int_equal(chmod(spool, 0777), 0);
	assert_int_equal(chmod(p.state_dir, 0711), 0);
	make_state_dirs(&p, false);
	assert_int_equal(mode_of(p.state_dir, "spool"), 01730);
	assert_int_equal(mode_of(p.state_dir, "."), 0711);
	assert_int_equal(access(file, F_OK), 0);
}

static void a_link_in_place_of_a_private_directory_is_refused(void **state)
{
	AUTO(place_free) struct place p = place_make();
	AUTO(mem_free) char *cache = mem_printf("%s/cache", p.state_dir);
	struct err err;

	(void)state;
	make_state_dirs(&p, false);
	assert_int_equal(rmdir(cache), 0);
	assert_int_equal(symlink(p.dir, cache), 0);
	assert_fails(layout_state_dir(p.conf, &p.id, false, &err), "open directory 'cache'");
	assert_int_equal(mode_of(p.dir, "."), 0700);
}

static void a_file_in_place_of_a_directory_is_refused(void **state)
{
	AUTO(place_free) struct place p = place_make();
	AUTO(mem_free) char *path = mem_printf("%s/a", p.dir);
	struct err err;

	(void)state;
	unit_write_file(path, "");
	assert_fails(layout_run_dir(p.conf, &p.id, &err), "Not a directory");
}

static void what_is_made_belongs_to_who_uses_it_alone(void **state)
{
	AUTO(place_free) struct place p = place_make();

	(void)state;
	if (geteuid() != 0)
		UNIT_SKIP("not root");
	have_users(&p);
	make_state_dirs(&p, false);
	for (int i = 0; i < 2; i++) {
		assert_held(&p, ".", 0, 0, 0755);
		assert_held(&p, "sandboxes", POOL, POOL, 0700);
		assert_held(&p, "cache", POOL, POOL, 0700);
		assert_held(&p, "uids", POOL, POOL, 0600);
		assert_held(&p, "spool", COLLECTOR, INVOKE, 01730);
		assert_held(&p, "spool/rejected", COLLECTOR, COLLECTOR, 0700);
		settle(&p);
	}
}

/* What a version of Berth leaves whose processes were all one user. */
static void make_as_one_user(struct place *p)
{
	make_state_dirs(p, false);
	make(p, "sandboxes", true, INVOKE, 0700);
	make(p, "sandboxes/one", true, INVOKE, 0755);
	make(p, "sandboxes/one/control.sock", false, SANDBOX, 0600);
	make(p, "packages", true, INVOKE, 0700);
	make(p, "packages/of-before", true, INVOKE, 0755);
	make(p, "packages/of-before/main.py", false, INVOKE, 0444);
	make(p, "uids", false, INVOKE, 0600);
	make(p, "spool", true, INVOKE, 0700);
	make(p, "spool/id", false, INVOKE, 0600);
	make(p, "spool/rejected", true, INVOKE, 0700);
	make(p, "spool/rejected/some", false, INVOKE, 0600);
	make(p, SPOOLED, false, INVOKE, 0600);
	assert_int_equal(chown(p->state_dir, INVOKE, INVOKE), 0);
	assert_int_equal(chmod(p->state_dir, 0775), 0);
	have_users(p);
}

static void while_the_one_before_runs_it_keeps_what_it_had(void **state)
{
	AUTO(place_free) struct place p = place_make();

	(void)state;
	if (geteuid() != 0)
		UNIT_SKIP("not root");
	make_as_one_user(&p);
	make_state_dirs(&p, true);
	assert_held(&p, "sandboxes", POOL, INVOKE, 01770);
	assert_held(&p, "sandboxes/one", INVOKE, INVOKE, 0755);
	assert_held(&p, "uids", POOL, INVOKE, 0660);
	assert_held(&p, "spool", COLLECTOR, INVOKE, 01770);
	assert_held(&p, "spool/id", COLLECTOR, INVOKE, 0660);
	assert_held(&p, SPOOLED, INVOKE, INVOKE, 0440);
	/* It goes on with its package cache; the next one has another. */
	assert_held(&p, "packages/of-before/main.py", INVOKE, INVOKE, 0444);
	assert_held(&p, "cache", POOL, POOL, 0700);
}

static void once_it_is_gone_all_belongs_to_who_uses_it_and_what_others_could_write_is_not_used(void **state)
{
	AUTO(place_free) struct place p = place_make();

	(void)state;
	if (geteuid() != 0)
		UNIT_SKIP("not root");
	make_as_one_user(&p);
	make_state_dirs(&p, true);
	settle(&p);
	assert_held(&p, ".", 0, 0, 0755);
	assert_held(&p, "sandboxes", POOL, POOL, 0700);
	assert_held(&p, "sandboxes/one", POOL, POOL, 0755);
	assert_held(&p, "sandboxes/one/control.sock", SANDBOX, SANDBOX, 0600);
	assert_held(&p, "cache", POOL, POOL, 0700);
	assert_false(is_there(&p, "packages"));
	assert_held(&p, "uids", POOL, POOL, 0600);
	assert_held(&p, "spool", COLLECTOR, INVOKE, 01730);
	assert_held(&p, "spool/id", COLLECTOR, COLLECTOR, 0600);
	assert_held(&p, "spool/rejected/some", COLLECTOR, COLLECTOR, 0600);
	assert_held(&p, SPOOLED, INVOKE, INVOKE, 0440);
}

static void what_is_handed_over_is_no_file_that_somebody_only_linked_there(void **state)
{
	AUTO(place_free) struct place p = place_make();
	AUTO(mem_free) char *outside = mem_printf("%s/outside", p.dir);
	AUTO(mem_free) char *hard = mem_printf("%s/sandboxes/one/hard", p.state_dir);
	AUTO(mem_free) char *soft = mem_printf("%s/spool/01a22a68-a863-700c-aaa2-000000000000.spool", p.state_dir);

	(void)state;
	if (geteuid() != 0)
		UNIT_SKIP("not root");
	make_as_one_user(&p);
	unit_write_file(outside, "x");
	assert_int_equal(chmod(outside, 0600), 0);
	assert_int_equal(lchown(outside, INVOKE + 10, 0), 0);
	assert_int_equal(link(outside, hard), 0);
	assert_int_equal(symlink(outside, soft), 0);
	make_state_dirs(&p, false);
	settle(&p);
	assert_int_equal(look_at(p.dir, "outside").st_uid, INVOKE + 10);
	assert_int_equal(mode_of(p.dir, "outside"), 0600);
}

static void workers_cannot_become_others_while_the_ones_before_still_write(void **state)
{
	AUTO(place_free) struct place p = place_make();
	struct err err;

	(void)state;
	if (geteuid() != 0)
		UNIT_SKIP("not root");
	have_users(&p);
	make_state_dirs(&p, false);
	p.id.accounts[CHILD_INVOKE].gid = INVOKE + 1;
	assert_fails(layout_state_dir(p.conf, &p.id, true, &err), "only a restart changes invoke.user");
	make_state_dirs(&p, false);
	assert_held(&p, "spool", COLLECTOR, INVOKE + 1, 01730);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(directories_are_made_with_their_parents_whatever_the_umask),
		cmocka_unit_test(directories_that_are_there_are_kept_but_private_ones_are_closed),
		cmocka_unit_test(a_link_in_place_of_a_private_directory_is_refused),
		cmocka_unit_test(a_file_in_place_of_a_directory_is_refused),
		cmocka_unit_test(what_is_made_belongs_to_who_uses_it_alone),
		cmocka_unit_test(while_the_one_before_runs_it_keeps_what_it_had),
		cmocka_unit_test(once_it_is_gone_all_belongs_to_who_uses_it_and_what_others_could_write_is_not_used),
		cmocka_unit_test(what_is_handed_over_is_no_file_that_somebody_only_linked_there),
		cmocka_unit_test(workers_cannot_become_others_while_the_ones_before_still_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
