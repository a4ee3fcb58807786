/* When the power fails. */
#include "tests/unit/poolmgr/package/package_rig.h"

#include "poolmgr/package/cache.h"

static void a_package_is_used_before_it_is_on_the_disk_and_nobody_else_trusts_it_before(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "durable"};
	const struct archive_member another = {.path = "main.x", .content = "durable, too"};
	char sha256[SHA256_TEXT_SIZE], next[SHA256_TEXT_SIZE];
	sem_t disk;

	(void)state;
	wait_for_work(WORK_SYNC); /* one that is under way, and one for what came since it began */
	wait_for_work(WORK_SYNC);
	sem_init(&disk, 0, 0);
	package_rig_disk.calls = 0;
	package_rig_disk.waits = &disk;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &another, 1, next).failed);
	assert_true(cache_has(sha256));
	assert_false(link_into(sha256, "box5").failed);
	assert_int_equal(mode_of(sha256), 0700);
	assert_int_equal(mode_of(next), 0700);
	sem_post(&disk);
	WAIT_FOR(mode_of(sha256) == 0755);
	assert_int_equal(mode_of(next), 0700); /* it came after the call had begun */
	sem_post(&disk);
	WAIT_FOR(mode_of(next) == 0755);
	assert_int_equal(package_rig_disk.calls, 2);
	package_rig_disk.waits = NULL;
	sem_destroy(&disk);
}

static void a_package_the_disk_does_not_take_goes(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "not durable"};
	char sha256[SHA256_TEXT_SIZE];

	(void)state;
	package_rig_disk.fails = true;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	WAIT_FOR(!cache_has(sha256));
	package_rig_disk.fails = false;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	WAIT_FOR(mode_of(sha256) == 0755);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACKAGE_TEST(a_package_is_used_before_it_is_on_the_disk_and_nobody_else_trusts_it_before),
		PACKAGE_TEST(a_package_the_disk_does_not_take_goes),
	};

	return cmocka_run_group_tests(tests, package_rig_set_up, engine_rig_tear_down);
}
