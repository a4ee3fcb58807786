/* What an earlier process left: what is whole counts, what is not goes. */
#include "tests/unit/poolmgr/package/package_rig.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/node/tree.h"
#include "poolmgr/package/cache.h"
#include "poolmgr/package/package.h"
#include "tests/unit/poolmgr/threads.h"

/* Half of its files may be empty. */
static void what_was_not_on_the_disk_when_an_earlier_process_ended_is_unpacked_anew(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "before the power failed"};
	char sha256[SHA256_TEXT_SIZE];
	struct err err;

	(void)state;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	WAIT_FOR(mode_of(sha256) == 0755);
	AUTO(mem_free) char *path = mem_printf("%s/cache/%s", rig.dir, sha256);
	AUTO(mem_free) char *file = mem_printf("%s/main.x", path);
	for (int before_the_survey = 0; before_the_survey < 2; before_the_survey++) {
		assert_int_equal(chmod(path, 0700), 0);
		assert_int_equal(chmod(file, 0600), 0);
		unit_write_file(file, "");
		assert_ok(package_init(rig.loop, rig.conf, &err));
		if (before_the_survey == 0)
			WAIT_FOR(mode_of(sha256) == 0);
		assert_false(cache_has(sha256));
		assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
		assert_true(cache_has(sha256));
		assert_file(sha256, "main.x", "before the power failed", 0444);
		WAIT_FOR(mode_of(sha256) == 0755);
	}
}

/* Makes the survey wait after it has seen a package, as if there were many. */
static sem_t *survey_waits_for, survey_is_there;

int64_t __real_tree_bytes(int dir_fd, const char *name);
int64_t __wrap_tree_bytes(int dir_fd, const char *name);

int64_t __wrap_tree_bytes(int dir_fd, const char *name)
{
	if (survey_waits_for != NULL && cache_files_is_sha256(name)) {
		sem_post(&survey_is_there);
		sem_wait(survey_waits_for);
	}
	return __real_tree_bytes(dir_fd, name);
}

static void what_this_process_unpacked_and_wrote_to_the_disk_during_the_survey_stays(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "unpacked meanwhile"};
	char sha256[SHA256_TEXT_SIZE];
	sem_t disk, go_on;
	struct err err;

	(void)state;
	empty_the_cache();
	rig.conf->pool_package_cache_mb = 2048;
	sem_init(&disk, 0, 0);
	sem_init(&go_on, 0, 0);
	sem_init(&survey_is_there, 0, 0);
	package_rig_disk.waits = &disk;
	survey_waits_for = &go_on;
	threads_stop_of(WORK_CHORE, WORK_CHORE);
	assert_ok(package_init(rig.loop, rig.conf, &err));
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	threads_go_on();
	sem_wait(&survey_is_there); /* it has seen that the package is not on disk yet */
	sem_post(&disk);
	WAIT_FOR(mode_of(sha256) == 0755);
	sem_post(&go_on);
	wait_for_work(WORK_CHORE);
	assert_true(cache_has(sha256));
	survey_waits_for = NULL;
	package_rig_disk.waits = NULL;
	empty_the_cache();
}

static void what_an_earlier_process_unpacked_counts_and_goes_in_the_order_of_its_last_use(void **state)
{
	char a[SHA256_TEXT_SIZE], b[SHA256_TEXT_SIZE], c[SHA256_TEXT_SIZE];
	struct timespec hours_ago[2] = {{.tv_sec = 7200}, {.tv_sec = 7200}};
	struct err err;

	(void)state;
	empty_the_cache();
	rig.conf->pool_package_cache_mb = 2;
	unpack_large('a', 400, a);
	unpack_large('b', 400, b);
	unpack_large('c', 400, c);
	WAIT_FOR(mode_of(a) == 0755 && mode_of(b) == 0755 && mode_of(c) == 0755);
	AUTO(mem_free) char *path = mem_printf("%s/cache/%s", rig.dir, b);
	assert_int_equal(utimensat(AT_FDCWD, path, hours_ago, 0), 0);
	rig.conf->pool_package_cache_mb = 1;
	assert_ok(package_init(rig.loop, rig.conf, &err));
	WAIT_FOR(!cache_has(b));
	assert_true(cache_has(a) && cache_has(c));
	empty_the_cache();
}

static void what_an_earlier_process_left_half_unpacked_goes_at_the_start_and_packages_stay(void **state)
{
	const struct archive_member member = {.path = "main.x", .content = "stays"};
	char sha256[SHA256_TEXT_SIZE];
	struct err err;

	(void)state;
	assert_false(unpack_members(ARCHIVE_IS_TAR_GZ, &member, 1, sha256).failed);
	WAIT_FOR(mode_of(sha256) == 0755);
	AUTO(mem_free) char *gone = mem_printf("%s/cache/.removing-3", rig.dir);
	assert_int_equal(mkdir(gone, 0755), 0);
	AUTO(mem_free) char *half = mem_printf("%s/cache/.unpacking-77", rig.dir);
	AUTO(mem_free) char *sub = mem_printf("%s/sub", half);
	AUTO(mem_free) char *file = mem_printf("%s/file", sub);
	assert_int_equal(mkdir(half, 0755), 0);
	assert_int_equal(mkdir(sub, 0755), 0);
	unit_write_file(file, "half");
	assert_ok(package_init(rig.loop, rig.conf, &err));
	WAIT_FOR(!rig_exists("cache/.unpacking-77") && !rig_exists("cache/.removing-3"));
	assert_true(cache_has(sha256));
}

static void what_another_poolmgr_unpacks_at_the_start_is_left_alone(void **state)
{
	AUTO(mem_free) char *path = mem_printf("%s/cache", rig.dir);
	AUTO(fd_close) int packages = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err;

	(void)state;
	int others = tree_make_owned(packages, ".unpacking-of-another", &err);
	assert_ok(others);
	assert_ok(package_init(rig.loop, rig.conf, &err));
	wait_for_work(WORK_CHORE);
	assert_true(rig_exists("cache/.unpacking-of-another"));
	fd_close(&others); /* it died */
	assert_ok(package_init(rig.loop, rig.conf, &err));
	WAIT_FOR(!rig_exists("cache/.unpacking-of-another"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACKAGE_TEST(what_was_not_on_the_disk_when_an_earlier_process_ended_is_unpacked_anew),
		PACKAGE_TEST(what_this_process_unpacked_and_wrote_to_the_disk_during_the_survey_stays),
		PACKAGE_TEST(what_an_earlier_process_unpacked_counts_and_goes_in_the_order_of_its_last_use),
		PACKAGE_TEST(what_an_earlier_process_left_half_unpacked_goes_at_the_start_and_packages_stay),
		PACKAGE_TEST(what_another_poolmgr_unpacks_at_the_start_is_left_alone),
	};

	return cmocka_run_group_tests(tests, package_rig_set_up, engine_rig_tear_down);
}
