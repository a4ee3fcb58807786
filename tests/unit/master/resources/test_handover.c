#include "master/resources/handover.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool is_cloexec(int fd)
{
	return (fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0;
}

static void what_is_left_by_one_is_found_by_the_other_under_its_name(void **state)
{
	AUTO(unit_remove_dir) char *dir = unit_make_dir();
	AUTO(fd_close) int first = open(dir, O_RDONLY | O_CLOEXEC), second = open("/dev/null", O_RDONLY | O_CLOEXEC);
	AUTO(handover_free) struct handover left = {0}, found = {0};
	struct err err;

	(void)state;
	assert_ok(handover_add(&left, "pid", first, &err));
	assert_ok(handover_add(&left, "invoke-0.sock", second, &err));
	AUTO(mem_free) char *text = handover_text_new(&left, &err);
	assert_non_null(text);
	for (int i = 0; i < left.count; i++)
		assert_false(is_cloexec(left.items[i].fd)); /* the new program has them under the same numbers */
	assert_ok(handover_parse(text, &found, &err));
	mem_free(&left.items[0].name);
	mem_free(&left.items[1].name);
	left.count = 0; /* they are the other one's now */

	AUTO(fd_close) int a = handover_take(&found, "pid"), b = handover_take(&found, "invoke-0.sock");
	assert_true(same_file(a, first) && a != first && is_cloexec(a));
	assert_true(same_file(b, second) && is_cloexec(b));
	assert_int_equal(handover_take(&found, "pid"), -1);
	assert_int_equal(found.count, 0);
}

static void what_nobody_takes_is_closed(void **state)
{
	struct handover b = {0};
	struct err err;

	(void)state;
	int before = unit_open_fds();
	assert_ok(handover_add(&b, "of another version", STDIN_FILENO, &err));
	assert_int_equal(handover_take(&b, "pid"), -1);
	handover_free(&b);
	assert_int_equal(unit_open_fds(), before);
}

static void a_descriptor_that_is_not_open_cannot_be_added(void **state)
{
	AUTO(handover_free) struct handover b = {0};
	struct err err;

	(void)state;
	assert_fails(handover_add(&b, "pid", -1, &err), "'pid'");
	assert_int_equal(b.count, 0);
}

static void a_list_that_is_none_is_refused(void **state)
{
	static const char *const texts[] = {"",       "pid",   "pid:",  ":9",      "pid:x",           "pid:9x",
					    "pid:-1", "pid:0", "pid:2", "pid:9:9", "pid:99999999999", "pid:987654",
					    ","};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(handover_free) struct handover b = {0};
		assert_fails(handover_parse(texts[i], &b, &err), "'");
		assert_int_equal(b.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_left_by_one_is_found_by_the_other_under_its_name),
		cmocka_unit_test(what_nobody_takes_is_closed),
		cmocka_unit_test(a_descriptor_that_is_not_open_cannot_be_added),
		cmocka_unit_test(a_list_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
