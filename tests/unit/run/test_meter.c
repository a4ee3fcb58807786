#include "run/meter.h"

#include <fcntl.h>

#include "base/fd.h"
#include "tests/unit/unit.h"

/* A cgroup's files, which a test writes as the kernel would. */
struct fixture {
	char *dir;
	struct meter meter;
	int64_t now_us;
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
	f->meter = (struct meter){make_file(f, "cpu"), make_file(f, "memory"), make_file(f, "oom"), .limit_bytes = 64 << 20,
				  .cpu_read_us = -1};
	f->now_us = 1;
	assert_true(f->meter.cpu_fd >= 0 && f->meter.memory_fd >= 0 && f->meter.oom_fd >= 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	fd_close(&f->meter.cpu_fd);
	fd_close(&f->meter.memory_fd);
	fd_close(&f->meter.oom_fd);
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

/* So long after the invocation before that everything is looked at. */
static void begin(struct fixture *f)
{
	f->now_us += METER_GAP_US;
	meter_begin(&f->meter, f->now_us);
}

static int64_t cpu_us(struct fixture *f)
{
	meter_read(&f->meter, f->now_us);
	return f->meter.cpu_us;
}

static int64_t memory_bytes(struct fixture *f)
{
	meter_read(&f->meter, f->now_us);
	return f->meter.memory_bytes;
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
	assert_int_equal(cpu_us(f), 2000);
	assert_int_equal(memory_bytes(f), 9437184);
	assert_false(meter_out_of_memory(&f->meter));
	say(f, "125456789\n", "9437184\n", V1_OOM("1"));
	assert_true(meter_out_of_memory(&f->meter));
}

static void what_the_sandbox_needs_beyond_the_limit_is_not_the_functions(void **state)
{
	struct fixture *f = *state;

	begin(f);
	say(f, "0\n", "67108865\n", V1_OOM("0"));
	assert_int_equal(memory_bytes(f), 64 << 20);
}

static void cgroups_v2_count_microseconds_and_say_how_many_were_killed(void **state)
{
	struct fixture *f = *state;

	say(f, V2_CPU("1000"), "5242880\n", V2_OOM("0"));
	begin(f);
	say(f, V2_CPU("4321"), "9437184\n", V2_OOM("0"));
	assert_int_equal(cpu_us(f), 3321);
	assert_int_equal(memory_bytes(f), 9437184);
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
	assert_int_equal(cpu_us(f), 50);
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
	assert_int_equal(memory_bytes(f), 0); /* what was written is what is read from a plain file */
}

static void a_peak_that_cannot_begin_anew_is_still_read(void **state)
{
	struct fixture *f = *state;

	say(f, "0\n", "4096\n", V2_OOM("0"));
	fd_close(&f->meter.memory_fd);
	f->meter.memory_fd = open(path_of(f, "memory"), O_RDONLY | O_CLOEXEC);
	begin(f);
	assert_int_equal(memory_bytes(f), 4096);
}

static void assert_nothing_is_known(struct meter *m)
{
	meter_read(m, 1);
	assert_int_equal(m->cpu_us, -1);
	assert_int_equal(m->memory_bytes, 0);
	assert_false(meter_out_of_memory(m));
}

static void where_there_is_no_cgroup_nothing_is_known(void **state)
{
	AUTO(fd_close) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct fixture *f = *state;

	struct meter of_null = {null, null, null, .limit_bytes = 1 << 20}, of_none = METER_NONE;
	meter_begin(&of_null, 1);
	assert_nothing_is_known(&of_null);
	meter_begin(&of_none, 1);
	assert_nothing_is_known(&of_none);
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

static void what_follows_at_once_begins_where_the_one_before_ended(void **state)
{
	struct fixture *f = *state;

	say(f, "1000000\n", "4096\n", V2_OOM("2"));
	begin(f);
	say(f, "3000000\n", "4096\n", V2_OOM("2"));
	assert_int_equal(cpu_us(f), 2000);
	say(f, "4000000\n", "4096\n", V2_OOM("3")); /* between the two, or in the second */
	meter_begin(&f->meter, f->now_us + METER_GAP_US - 1);
	say(f, "9000000\n", "4096\n", V2_OOM("3"));
	assert_int_equal(cpu_us(f), 6000);
	assert_true(meter_out_of_memory(&f->meter));
	meter_begin(&f->meter, f->now_us + METER_GAP_US);
	assert_int_equal(cpu_us(f), 0);
	assert_false(meter_out_of_memory(&f->meter));
}

static void a_kill_that_an_invocation_survived_is_not_the_next_ones(void **state)
{
	struct fixture *f = *state;

	say(f, "0\n", "0\n", V2_OOM("0"));
	begin(f);
	say(f, "0\n", "67108864\n", V2_OOM("1")); /* a child of the function's */
	assert_int_equal(memory_bytes(f), 64 << 20);
	meter_begin(&f->meter, f->now_us);
	assert_false(meter_out_of_memory(&f->meter));
}

static void what_is_used_between_two_invocations_is_told_apart(void **state)
{
	struct fixture *f = *state;

	say(f, V2_CPU("500000"), "0\n", V2_OOM("0"));
	begin(f);
	assert_int_equal(f->meter.background_us, 0); /* what it used to come up is nobody's */
	say(f, V2_CPU("501000"), "0\n", V2_OOM("0"));
	assert_int_equal(cpu_us(f), 1000);
	say(f, V2_CPU("508000"), "0\n", V2_OOM("0"));
	begin(f);
	assert_int_equal(f->meter.background_us, 7000);
	say(f, V2_CPU("510000"), "0\n", V2_OOM("0"));
	assert_int_equal(cpu_us(f), 2000);
	assert_int_equal(f->meter.cpu_read_us, 510000);
	meter_begin(&f->meter, f->now_us + METER_GAP_US - 1); /* right after it */
	assert_int_equal(f->meter.background_us, 0);
}

static void what_another_worker_has_read_is_where_it_goes_on(void **state)
{
	struct fixture *f = *state;

	f->meter.cpu_read_us = 500000;
	say(f, V2_CPU("900000"), "0\n", V2_OOM("0"));
	begin(f);
	assert_int_equal(f->meter.background_us, 400000);
	assert_false(f->meter.restless); /* nobody here knows in what time */
}

static void more_than_a_little_between_two_invocations_is_restless_from_then_on(void **state)
{
	struct fixture *f = *state;

	say(f, V2_CPU("0"), "0\n", V2_OOM("0"));
	begin(f);
	meter_read(&f->meter, f->now_us);
	say(f, V2_CPU("20000"), "0\n", V2_OOM("0"));
	f->now_us += 90000;
	begin(f);
	assert_false(f->meter.restless);
	meter_read(&f->meter, f->now_us);
	say(f, V2_CPU("110000"), "0\n", V2_OOM("0"));
	f->now_us += 90000;
	begin(f);
	assert_int_equal(f->meter.background_us, 90000);
	assert_true(f->meter.restless);
	meter_read(&f->meter, f->now_us);
	begin(f);
	assert_true(f->meter.restless);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(cgroups_v1_count_nanoseconds_and_say_how_many_were_killed),
		TEST(cgroups_v2_count_microseconds_and_say_how_many_were_killed),
		TEST(what_the_sandbox_needs_beyond_the_limit_is_not_the_functions),
		TEST(a_number_is_found_on_any_line_but_not_inside_one),
		TEST(only_a_kill_since_it_began_counts),
		TEST(the_peak_is_asked_to_begin_anew),
		TEST(a_peak_that_cannot_begin_anew_is_still_read),
		TEST(where_there_is_no_cgroup_nothing_is_known),
		TEST(what_follows_at_once_begins_where_the_one_before_ended),
		TEST(a_kill_that_an_invocation_survived_is_not_the_next_ones),
		TEST(a_cgroup_that_is_gone_in_between_makes_no_number_negative),
		TEST(what_is_used_between_two_invocations_is_told_apart),
		TEST(what_another_worker_has_read_is_where_it_goes_on),
		TEST(more_than_a_little_between_two_invocations_is_restless_from_then_on),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
