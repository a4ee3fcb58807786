/* What is in the cache, and what has to go. */
#include "tests/unit/poolmgr/package/package_rig.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "poolmgr/node/directory.h"
#include "poolmgr/package/cache.h"
#include "poolmgr/package/package.h"

static void only_hashes_name_packages(void **state)
{
	(void)state;
	assert_false(cache_has(""));
	assert_false(cache_has("."));
	assert_false(cache_has("../cache"));
	assert_false(cache_has("0123"));
}

static void beyond_the_limit_the_package_unused_longest_goes(void **state)
{
	char a[SHA256_TEXT_SIZE], b[SHA256_TEXT_SIZE], c[SHA256_TEXT_SIZE];

	(void)state;
	empty_the_cache();
	rig.conf->pool_package_cache_mb = 1;
	unpack_large('a', 400, a);
	unpack_large('b', 400, b);
	assert_true(cache_has(a) && cache_has(b));
	assert_false(link_into(a, "box3").failed);
	unpack_large('c', 400, c);
	assert_true(cache_has(a)); /* used later than b */
	assert_false(cache_has(b));
	assert_true(cache_has(c));
	WAIT_FOR(rig_count_names("cache") == 2);
	unpack_large('b', 400, b);
	assert_true(cache_has(b));
	assert_false(cache_has(a));
	assert_true(rig_exists("box3/" DIRECTORY_FUNCTION "/main.x")); /* a sandbox keeps what it has */
	empty_the_cache();
}

static void a_package_that_is_being_linked_stays(void **state)
{
	AUTO(mem_free) char *path = mem_printf("%s/box4", rig.dir);
	AUTO(mem_free) char *mounted = mem_printf("%s/" DIRECTORY_MOUNTED, path);
	AUTO(mem_free) char *function = mem_printf("%s/" DIRECTORY_FUNCTION, path);
	char a[SHA256_TEXT_SIZE];
	struct outcome o = {0};

	(void)state;
	unpack_large('l', 10, a);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(mkdir(mounted, 0755), 0);
	assert_int_equal(mkdir(function, 0755), 0);
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	package_link(a, fd, package_done, &o);
	rig.conf->pool_package_cache_mb = 0;
	package_set_conf(rig.conf);
	assert_true(cache_has(a));
	WAIT_FOR(o.done);
	assert_false(o.failed);
	package_set_conf(rig.conf);
	assert_false(cache_has(a));
	empty_the_cache();
}

/* As a node has them, where functions come and go. */
static void of_thousands_of_packages_as_many_stay_as_there_is_space_for(void **state)
{
	char sha256[SHA256_TEXT_SIZE], first[SHA256_TEXT_SIZE];
	int most = 0;

	(void)state;
	empty_the_cache();
	rig.conf->pool_package_cache_mb = 4;
	for (int n = 0; n < 2000; n++) {
		AUTO(buf_free) struct buf archive = {0};
		AUTO(mem_free) char *text = mem_printf("number %d", n);
		archive_make_one(text, &archive);
		archive_hash(&archive, sha256);
		if (n == 0)
			memcpy(first, sha256, sizeof(first));
		assert_false(unpack(sha256, &archive).failed);
		assert_true(cache_has(sha256));
		assert_true(cache_bytes() <= 4 << 20);
		most = MAX(most, (int)(cache_bytes() >> 10));
	}
	assert_in_range(most, 3 << 10, 4 << 10);
	assert_false(cache_has(first));
	wait_for_work(WORK_CHORE);
	assert_true(rig_count_names("cache") < 1024);
	rig.conf->pool_package_cache_mb = 2048;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PACKAGE_TEST(only_hashes_name_packages),
		PACKAGE_TEST(beyond_the_limit_the_package_unused_longest_goes),
		PACKAGE_TEST(a_package_that_is_being_linked_stays),
		PACKAGE_TEST(of_thousands_of_packages_as_many_stay_as_there_is_space_for),
	};

	return cmocka_run_group_tests(tests, package_rig_set_up, engine_rig_tear_down);
}
