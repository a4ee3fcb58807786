/* Packages are linked into sandboxes, and neither that nor a small one waits for what takes long. */
#include "tests/unit/poolmgr/package/package_rig.h"

#include <errno.h>

#include "base/mem.h"
#include "poolmgr/node/directory.h"
#include "poolmgr/package/cache.h"
#include "poolmgr/package/package.h"
#include "poolmgr/package/unpacking.h"

/* Work that takes until it is told to end. */
struct staying {
	struct work work;
	sem_t *until;
	bool left;
};

static void a_package_is_linked_not_copied(void **state)
{
	const struct archive_member members[] = {{.path = "main.x", .content = "linked"},
						 {.path = "lib/mod.x", .content = "2"}};
	char sha256[SHA256_TEXT_SIZE];
	struct stat a, b;

	(void)state;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, members, ARRAY_SIZE(members), sha256).failed);
	struct outcome o = link_into(sha256, "box");
	if (o.failed)
		fail_msg("%s", o.err.msg);
	AUTO(mem_free) char *original = mem_printf("%s/cache/%s/lib/mod.x", rig.dir, sha256);
	AUTO(mem_free) char *linked = mem_printf("%s/box/" DIRECTORY_FUNCTION "/lib/mod.x", rig.dir);
	assert_int_equal(stat(original, &a), 0);
	assert_int_equal(stat(linked, &b), 0);
	assert_int_equal(a.st_ino, b.st_ino);
}

static void linking_a_package_that_is_not_there_fails(void **state)
{
	(void)state;
	struct outcome o = link_into("00112233445566778899aabbccddeeff00112233445566778899aabbccddeef0", "box2");
	assert_true(o.failed);
	assert_int_equal(o.err.code, ENOENT);
}

static void stay_until(struct work *work)
{
	sem_wait(((struct staying *)work)->until);
}

static void on_left(struct work *work)
{
	((struct staying *)work)->left = true;
}

static void keep_busy(enum work_kind kind, struct staying *s, int count, sem_t *until)
{
	for (int i = 0; i < count; i++) {
		s[i] = (struct staying){{stay_until, on_left, NULL, NULL}, until, false};
		work_begin(kind, &s[i].work);
	}
}

/* The largest of all are unpacked, packages are removed, and the disk is slow: each takes until it is told to end. */
static void links_and_small_packages_wait_for_nothing_that_takes_long(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "small"};
	struct staying large[3], chores[3], syncs[3];
	struct outcome o = {0};
	AUTO(buf_free) struct buf archive = {0};
	char a[SHA256_TEXT_SIZE], b[SHA256_TEXT_SIZE];
	sem_t until;

	(void)state;
	rig.conf->pool_package_cache_mb = 2048;
	sem_init(&until, 0, 0);
	keep_busy(WORK_UNPACK_LARGE, large, 3, &until);
	keep_busy(WORK_CHORE, chores, 3, &until);
	keep_busy(WORK_SYNC, syncs, 3, &until);
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, a).failed);
	assert_false(link_into(a, "box6").failed);

	/* Small as an archive, and large for all that: it goes on behind those, and not before the next small one. */
	AUTO(mem_free) char *zeros = mem_alloc((17 << 20) + 1);
	memset(zeros, '0', 17 << 20);
	const struct archive_member bomb = {.path = "main.x", .content = zeros};
	archive_make(ARCHIVE_IS_TAR_GZ, &bomb, 1, &archive);
	archive_hash(&archive, b);
	void *copy = mem_alloc(archive.len);
	memcpy(copy, archive.data, archive.len);
	unpacking_begin(b, copy, archive.len, package_done, &o);
	for (int i = 0; i < 5; i++) {
		AUTO(mem_free) char *text = mem_printf("small %d", i);
		const struct archive_member one = {.path = "main.x", .content = text};
		assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &one, 1, a).failed);
	}
	assert_false(o.done);
	for (int i = 0; i < 9; i++)
		sem_post(&until);
	WAIT_FOR(o.done);
	assert_false(o.failed);
	assert_true(cache_has(b));
	for (int i = 0; i < 3; i++)
		WAIT_FOR(large[i].left && chores[i].left && syncs[i].left);
	sem_destroy(&until);
	empty_the_cache();
}

static void a_cache_that_cannot_be_opened_is_an_error_in_words(void **state)
{
	struct conf nowhere = {.master_state_dir = "/nonexistent/berth"};
	struct err err;

	(void)state;
	assert_fails(package_init(rig.loop, &nowhere, &err), "/nonexistent/berth/cache");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACKAGE_TEST(a_package_is_linked_not_copied),
		PACKAGE_TEST(linking_a_package_that_is_not_there_fails),
		PACKAGE_TEST(links_and_small_packages_wait_for_nothing_that_takes_long),
		PACKAGE_TEST(a_cache_that_cannot_be_opened_is_an_error_in_words),
	};

	return cmocka_run_group_tests(tests, package_rig_set_up, engine_rig_tear_down);
}
