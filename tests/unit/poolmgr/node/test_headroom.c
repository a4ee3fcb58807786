/* Whether there is processor time to spare, from files that read like /proc/stat. */
#include "tests/unit/unit.h"

#include "base/mem.h"
#include "poolmgr/node/headroom.h"

#define LOOK_US 500000

static struct {
	char *dir, *path;
	int64_t now_us, idle_percent;
} f;

/* The next look, with so many ticks more of each kind than at the one before. */
static void pass(unsigned user, unsigned system, unsigned idle, unsigned iowait)
{
	static unsigned long long total[4] = {1000, 2000, 3000, 4000};
	const unsigned more[4] = {user, system, idle, iowait};

	for (int i = 0; i < 4; i++)
		total[i] += more[i];
	AUTO(mem_free)
	char *text = mem_printf("cpu  %llu 5 %llu %llu %llu 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n", total[0], total[1],
				total[2], total[3]);
	unit_write_file(f.path, text);
	f.now_us += LOOK_US;
	headroom_tick(f.now_us, f.idle_percent);
}

static void there_is_some_until_the_processors_are_known_to_be_busy(void **state)
{
	(void)state;
	assert_true(headroom_is_there());
	pass(0, 0, 0, 0);
	assert_true(headroom_is_there());
	pass(80, 19, 1, 0);
	assert_false(headroom_is_there());
}

static void what_counts_is_the_time_since_the_last_look(void **state)
{
	(void)state;
	pass(0, 0, 0, 0);
	pass(100, 0, 0, 0);
	assert_false(headroom_is_there());
	pass(50, 30, 20, 0);
	assert_true(headroom_is_there());
	pass(0, 100, 0, 0);
	assert_false(headroom_is_there());
	pass(80, 0, 0, 20); /* who waits for a disk leaves the processor to others */
	assert_true(headroom_is_there());
}

static void it_looks_twice_a_second(void **state)
{
	(void)state;
	pass(0, 0, 0, 0);
	pass(100, 0, 0, 0);
	f.now_us -= LOOK_US / 2;
	pass(0, 0, 100, 0); /* half a look later */
	assert_false(headroom_is_there());
	pass(0, 0, 100, 0);
	assert_true(headroom_is_there());
}

static void how_much_has_to_be_idle_is_the_operators_choice(void **state)
{
	(void)state;
	pass(0, 0, 0, 0);
	f.idle_percent = 50;
	pass(60, 0, 40, 0);
	assert_false(headroom_is_there());
	pass(50, 0, 50, 0);
	assert_true(headroom_is_there());
	f.idle_percent = 0;
	pass(100, 0, 0, 0);
	assert_true(headroom_is_there());
}

static void where_nothing_can_be_read_there_is_some(void **state)
{
	static const char *const texts[] = {"", "cpu\n", "cpu 1 2 3 4 5 6 7\n", "intr 1 2 3 4 5 6 7 8\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		pass(0, 0, 0, 0);
		pass(100, 0, 0, 0);
		assert_false(headroom_is_there());
		unit_write_file(f.path, texts[i]);
		headroom_tick(f.now_us += LOOK_US, f.idle_percent);
		assert_true(headroom_is_there());
	}
	headroom_init("/nonexistent");
	headroom_tick(f.now_us += LOOK_US, f.idle_percent);
	assert_true(headroom_is_there());
}

static int set_up(void **state)
{
	(void)state;
	f.dir = unit_make_dir();
	f.path = mem_printf("%s/stat", f.dir);
	f.idle_percent = 10;
	headroom_init(f.path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	mem_free(&f.path);
	unit_remove_dir(&f.dir);
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(there_is_some_until_the_processors_are_known_to_be_busy),
		TEST(what_counts_is_the_time_since_the_last_look),
		TEST(it_looks_twice_a_second),
		TEST(how_much_has_to_be_idle_is_the_operators_choice),
		TEST(where_nothing_can_be_read_there_is_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
