#include "tests/unit/unit.h"

#include "runtimes/driver.h"

static void both_runtimes_are_found_by_the_name_a_function_says(void **state)
{
	(void)state;
	assert_int_equal(driver_count, 2);
	assert_string_equal(driver_find("docker")->engine_runtime, "runc");
	assert_string_equal(driver_find("gvisor")->engine_runtime, "berth-runsc");
	for (size_t i = 0; i < driver_count; i++)
		assert_ptr_equal(driver_find(drivers[i]->name), drivers[i]);
}

static void a_runtime_nobody_knows_is_none(void **state)
{
	static const char *const names[] = {"", "runc", "Docker", "docker ", "gvisor2", "berth-runsc"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_null(driver_find(names[i]));
}

static void each_says_what_to_do_when_it_is_missing_and_how_small_it_may_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < driver_count; i++) {
		assert_true(strlen(drivers[i]->missing) > 20);
		assert_true(drivers[i]->least_memory_mb >= 64);
		assert_string_not_equal(drivers[i]->egress_runtime, drivers[i]->engine_runtime);
	}
	assert_non_null(strstr(driver_find("gvisor")->missing, "scripts/gvisor"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_runtimes_are_found_by_the_name_a_function_says),
		cmocka_unit_test(a_runtime_nobody_knows_is_none),
		cmocka_unit_test(each_says_what_to_do_when_it_is_missing_and_how_small_it_may_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
