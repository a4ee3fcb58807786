#include "poolmgr/node/uid.h"

#include <fcntl.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

#define BASE  3000
#define COUNT 4

static struct conf conf = {.sandbox_uid_base = BASE, .sandbox_uid_count = COUNT};

static int set_up(void **state)
{
	(void)state;
	conf.master_state_dir = unit_make_dir();
	return uid_init(&conf, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	unit_remove_dir(&conf.master_state_dir);
	return 0;
}

/* Another poolmgr that has count of them from first on. */
static int another_takes(uint32_t first, int count)
{
	AUTO(mem_free) char *path = mem_printf("%s/uids", conf.master_state_dir);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = first, .l_len = count};
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	return fd;
}

static void each_is_taken_once_and_the_one_given_back_last_comes_last(void **state)
{
	uint32_t uids[COUNT];

	(void)state;
	for (int i = 0; i < COUNT; i++) {
		uids[i] = uid_take();
		assert_in_range(uids[i], BASE, BASE + COUNT - 1);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(uids[i], uids[j]);
	}
	uid_give_back(uids[3]);
	uid_give_back(uids[1]);
	assert_int_equal(uid_take(), uids[1]);
	assert_int_equal(uid_take(), uids[3]);
}

static void those_of_another_poolmgr_are_passed_over_until_it_is_gone(void **state)
{
	(void)state;
	int another = another_takes(BASE, COUNT - 1);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(uid_take(), BASE + COUNT - 1);
		uid_give_back(BASE + COUNT - 1);
	}
	fd_close(&another);
	for (int i = 0; i < COUNT; i++)
		uid_take();
}

static void another_poolmgr_passes_over_ours_until_they_are_given_back(void **state)
{
	(void)state;
	uint32_t uid = uid_take();
	AUTO(mem_free) char *path = mem_printf("%s/uids", conf.master_state_dir);
	AUTO(fd_close) int fd = open(path, O_RDWR | O_CLOEXEC);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = uid, .l_len = 1};
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), -1);
	uid_give_back(uid);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
}

static void when_another_poolmgr_has_the_rest_one_of_its_is_shared(void **state)
{
	(void)state;
	AUTO(fd_close) int another = another_takes(BASE, COUNT);
	uint32_t first = uid_take();
	assert_in_range(first, BASE, BASE + COUNT - 1);
	assert_int_not_equal(uid_take(), first);
}

static void without_its_file_it_is_an_error_in_words(void **state)
{
	struct conf nowhere = {.master_state_dir = "/nonexistent/berth", .sandbox_uid_count = 1};
	struct err err;

	(void)state;
	assert_fails(uid_init(&nowhere, &err), "/nonexistent/berth/uids");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(each_is_taken_once_and_the_one_given_back_last_comes_last),
		TEST(those_of_another_poolmgr_are_passed_over_until_it_is_gone),
		TEST(another_poolmgr_passes_over_ours_until_they_are_given_back),
		TEST(when_another_poolmgr_has_the_rest_one_of_its_is_shared),
		TEST(without_its_file_it_is_an_error_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
