#include "worker/meter.h"

#include <fcntl.h>

#include "base/fd.h"
#include "tests/unit/unit.h"

/* A cgroup's files, which a test writes as the kernel would. */
struct fixture {
	char *dir;
	int cpu_fd, memory_fd, oom_fd;
	struct meter meter;
};

static char *path_of(const struct fixture *f, const char *name)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/%s", f->dir, name);
	return path;
}

static int make_file(const struct fixture *f, const char *name)
{
	return open(path_of(f, name), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->dir = unit_make_dir();
	f->cpu_fd = make_file(f, "cpu");
	f->memory_fd = make_file(f, "memory");
	f->oom_fd = make_file(f, "oom");
	assert_true(f->cpu_fd >= 0 && f->memory_fd >= 0 && f->oom_fd >= 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	fd_close(&f->cpu_fd);
	fd_close(&f->memory_fd);
	fd_close(&f->oom_fd);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

static void say(struct fixture *f, const char *cpu, const char *memory, const char *oom)
{
	unit_write_file(path_of(f, "cpu"), cpu);
	unit_write_file(path_of(f, "memory"), memory);
	unit_write_file(path_of(f, "oom"), oom);
}

static void begin(struct fixture *f)
{
	meter_begin(&f->meter, f->cpu_fd, f->memory_fd, f->oom_fd);
}

#define V1_OOM(kills) "oom_kill_disable 0\nunder_oom 1\noom_kill " kills "\n"
#define V2_OOM(kills) "low 0\nhigh 7\nmax 12\noom 5\noom_kill " kills "\noom_group_kill 0\n"
#define V2_CPU(used)  "usage_usec " used "\nuser_usec 1\nsystem_usec 2\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"

static void cgroups_v1_count_nanoseconds_and_say_how_many_were_killed(void **state)
{
	struct fixture *f = *state;

	say(f, "123456789\n", "5242880\n", V1_OOM("0"));
	begin(f);
	say(f, "125456789\n", "9437184\n", V1_OOM("0"));
	assert_int_equal(meter_cpu_us(&f->meter), 2000);
	assert_int_equal(meter_memory_bytes(&f->meter), 9437184);
	assert_false(meter_out_of_memory(&f->meter));
	say(f, "125456789\n", "9437184\n", V1_OOM("1"));
	assert_true(meter_out_of_memory(&f->meter));
}

static void cgroups_v2_count_microseconds_and_say_how_many_were_killed(void **state)
{
	struct fixture *f = *state;

	say(f, V2_CPU("1000"), "5242880\n", V2_OOM("0"));
	begin(f);
	say(f, V2_CPU("4321"), "9437184\n", V2_OOM("0"));
	assert_int_equal(meter_cpu_us(&f->meter), 3321);
	assert_int_equal(meter_memory_bytes(&f->meter), 9437184);
	assert_false(meter_out_of_memory(&f->meter)); /* reaching the limit alone kills nobody */
	say(f, V2_CPU("4321"), "9437184\n", V2_OOM("1"));
	assert_true(meter_out_of_memory(&f->meter));
}

static void a_number_is_found_on_any_line_but_not_inside_one(void **state)
{
	struct fixture *f = *state;

	say(f, "core usage_usec 7\nusage_usec 20\n", "", "x oom_kill 9\n");
	begin(f);
	say(f, "core usage_usec 9\nuser_usec 1\nusage_usec 70", "", "x oom_kill 10\n");
	assert_int_equal(meter_cpu_us(&f->meter), 50);
	assert_false(meter_out_of_memory(&f->meter));
}

static void only_a_kill_since_it_began_counts(void **state)
{
	struct fixture *f = *state;

	say(f, "0\n", "0\n", V2_OOM("3"));
	begin(f);
	assert_false(meter_out_of_memory(&f->meter));
	say(f, "0\n", "0\n", V2_OOM("4"));
	assert_true(meter_out_of_memory(&f->meter));
	begin(f);
	assert_false(meter_out_of_memory(&f->meter));
}

static void the_peak_is_asked_to_begin_anew(void **state)
{
	struct fixture *f = *state;

	say(f, "0\n", "7\n", V2_OOM("0"));
	begin(f);
	assert_int_equal(meter_memory_bytes(&f->meter), 0); /* what was written is what is read from a plain file */
}

static void a_peak_that_cannot_begin_anew_is_still_read(void **state)
{
	struct fixture *f = *state;

	say(f, "0\n", "4096\n", V2_OOM("0"));
	fd_close(&f->memory_fd);
	f->memory_fd = open(path_of(f, "memory"), O_RDONLY | O_CLOEXEC);
	begin(f);
	assert_int_equal(meter_memory_bytes(&f->meter), 4096);
}

static void assert_nothing_is_known(const struct meter *m)
{
	assert_int_equal(meter_cpu_us(m), -1);
	assert_int_equal(meter_memory_bytes(m), 0);
	assert_false(meter_out_of_memory(m));
}

static void where_there_is_no_cgroup_nothing_is_known(void **state)
{
	AUTO(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct fixture *f = *state;

	meter_begin(&f->meter, null, null, null);
	assert_nothing_is_known(&f->meter);
	meter_begin(&f->meter, -1, -1, -1);
	assert_nothing_is_known(&f->meter);
	say(f, "", "", "");
	begin(f);
	assert_nothing_is_known(&f->meter);
	say(f, "nonsense", "max\n", "oom_kill");
	begin(f);
	assert_nothing_is_known(&f->meter);
}

/* Its files read as empty then. */
static void a_cgroup_that_is_gone_in_between_makes_no_number_negative(void **state)
{
	struct fixture *f = *state;

	say(f, V2_CPU("1000"), "4096\n", V2_OOM("2"));
	begin(f);
	say(f, "", "", "");
	assert_nothing_is_known(&f->meter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(cgroups_v1_count_nanoseconds_and_say_how_many_were_killed),
		TEST(cgroups_v2_count_microseconds_and_say_how_many_were_killed),
		TEST(a_number_is_found_on_any_line_but_not_inside_one),
		TEST(only_a_kill_since_it_began_counts),
		TEST(the_peak_is_asked_to_begin_anew),
		TEST(a_peak_that_cannot_begin_anew_is_still_read),
		TEST(where_there_is_no_cgroup_nothing_is_known),
		TEST(a_cgroup_that_is_gone_in_between_makes_no_number_negative),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
