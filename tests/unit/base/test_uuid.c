#include "base/uuid.h"

#include "base/clock.h"
#include "tests/unit/unit.h"

static void text_and_bytes_are_the_same_thing(void **state)
{
	static const char text[] = "0190a0b1-c2d3-74e5-86f7-08192a3b4c5d";
	char back[UUID_TEXT_SIZE];
	struct uuid u;

	(void)state;
	assert_true(uuid_parse(text, &u));
	uuid_format(&u, back);
	assert_string_equal(back, text);
	assert_true(uuid_parse("0190A0B1-C2D3-74E5-86F7-08192A3B4C5D", &u));
	uuid_format(&u, back);
	assert_string_equal(back, text);
}

static void what_is_no_uuid_is_refused_and_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"hello",
		"0190a0b1-c2d3-74e5-86f7-08192a3b4c5",
		"0190a0b1-c2d3-74e5-86f7-08192a3b4c5d0",
		"0190a0b1-c2d3-74e5-86f7-08192a3b4c5g",
		"0190a0b1c2d3-74e5-86f7-08192a3b4c5d0",
		"0190a0b1-c2d3-74e5-86f7008192a3b4c5d",
		"{190a0b1-c2d3-74e5-86f7-08192a3b4c5}",
	};
	struct uuid zero = {{0}}, u = zero;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_false(uuid_parse(bad[i], &u));
		assert_memory_equal(&u, &zero, sizeof(u));
	}
}

static void new_ones_are_version_7_and_carry_the_time(void **state)
{
	int64_t before_ms = clock_wall_us() / 1000;
	struct uuid u = uuid_new();
	int64_t ms = 0;

	(void)state;
	for (int i = 0; i < 6; i++)
		ms = ms << 8 | u.bytes[i];
	assert_true(ms >= before_ms && ms <= clock_wall_us() / 1000);
	assert_int_equal(u.bytes[6] >> 4, 7);
	assert_int_equal(u.bytes[8] >> 6, 2);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uuid));
}

static void a_thousand_are_all_different(void **state)
{
	static struct uuid all[1000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		all[i] = uuid_new();
	qsort(all, ARRAY_SIZE(all), sizeof(all[0]), compare);
	for (size_t i = 1; i < ARRAY_SIZE(all); i++)
		assert_memory_not_equal(&all[i - 1], &all[i], sizeof(all[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_and_bytes_are_the_same_thing),
		cmocka_unit_test(what_is_no_uuid_is_refused_and_changes_nothing),
		cmocka_unit_test(new_ones_are_version_7_and_carry_the_time),
		cmocka_unit_test(a_thousand_are_all_different),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
