#include "ipc/cgroup_fds.h"

#include <sys/mman.h>

#include "base/fd.h"
#include "tests/unit/unit.h"

static int file_of(const char *text)
{
	int fd = memfd_create("cgroup", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void a_file_is_read_from_its_start_as_much_as_fits(void **state)
{
	AUTO(fd_close) int fd = file_of("12345");
	char text[4];

	(void)state;
	for (int i = 0; i < 2; i++) {
		cgroup_read_text(fd, text, sizeof(text));
		assert_string_equal(text, "123");
	}
	cgroup_read_text(-1, text, sizeof(text));
	assert_string_equal(text, "");
}

static void numbers_are_found_at_the_start_and_behind_a_word_that_begins_a_line(void **state)
{
	(void)state;
	assert_int_equal(cgroup_number("42\n", -1), 42);
	assert_int_equal(cgroup_number("max\n", -1), -1);
	assert_int_equal(cgroup_number("", 7), 7);
	assert_int_equal(cgroup_number_after("oom 1\noom_kill 3\n", "oom_kill ", -1), 3);
	assert_int_equal(cgroup_number_after("oom_kill 3\n", "oom_kill ", -1), 3);
	assert_int_equal(cgroup_number_after("my_oom_kill 3\n", "oom_kill ", -1), -1);
	assert_int_equal(cgroup_number_after("oom_kill many\n", "oom_kill ", -1), -1);
	assert_int_equal(cgroup_number_after("", "oom_kill ", -1), -1);
}

static void processor_time_is_told_in_the_words_of_either_version(void **state)
{
	AUTO(fd_close) int v1 = file_of("1234567\n");
	AUTO(fd_close) int v2 = file_of("usage_usec 1234\nuser_usec 1000\n");
	AUTO(fd_close) int neither = file_of("user_usec 1000\n");

	(void)state;
	assert_int_equal(cgroup_cpu_us(v1), 1234);
	assert_int_equal(cgroup_cpu_us(v2), 1234);
	assert_int_equal(cgroup_cpu_us(neither), -1);
	assert_int_equal(cgroup_cpu_us(-1), -1);
}

static void a_little_processor_time_is_no_restlessness(void **state)
{
	(void)state;
	assert_false(cgroup_is_restless(0, 0));
	assert_false(cgroup_is_restless(20000, 0));
	assert_true(cgroup_is_restless(20001, 0));
	assert_false(cgroup_is_restless(1000000 / 20, 1000000)); /* gVisor's kernel uses as much */
	assert_true(cgroup_is_restless(1000000 / 4, 1000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_read_from_its_start_as_much_as_fits),
		cmocka_unit_test(numbers_are_found_at_the_start_and_behind_a_word_that_begins_a_line),
		cmocka_unit_test(processor_time_is_told_in_the_words_of_either_version),
		cmocka_unit_test(a_little_processor_time_is_no_restlessness),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
