#include "ipc/heartbeat.h"

#include "base/clock.h"
#include "tests/unit/unit.h"

static void a_process_without_a_heartbeat_waits_as_long_as_it_wants(void **state)
{
	(void)state;
	heartbeat_now();
	assert_true(heartbeat_due_us(INT64_MAX) == INT64_MAX);
	assert_true(heartbeat_due_us(0) == 0);
}

/* This test is the last, because the process has a heartbeat from here on. */
static void a_heartbeat_nows_when_it_begins_and_whenever_it_is_told(void **state)
{
	struct slot slot = {0};
	int64_t start_us = clock_mono_us();

	(void)state;
	heartbeat_begin(&slot);
	assert_in_range(slot.beat_us, start_us, clock_mono_us());
	slot.beat_us = 0;
	heartbeat_now();
	assert_in_range(slot.beat_us, start_us, clock_mono_us());
	int64_t due_us = heartbeat_due_us(INT64_MAX);
	assert_in_range(due_us, start_us + HEARTBEAT_US, clock_mono_us() + HEARTBEAT_US);
	assert_true(heartbeat_due_us(start_us) == start_us); /* sooner than the next beat */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_without_a_heartbeat_waits_as_long_as_it_wants),
		cmocka_unit_test(a_heartbeat_nows_when_it_begins_and_whenever_it_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
