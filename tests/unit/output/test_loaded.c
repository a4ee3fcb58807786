#include "output/loaded.h"

#include "tests/unit/unit.h"

static void what_was_printed_ahead_is_the_beginning_of_a_log(void **state)
{
	struct loaded loaded = {0};
	AUTO(printed_free) struct printed printed = {0};
	AUTO(printed_log_free) struct printed_log log = {0};

	(void)state;
	loaded_add(&loaded, PRINTED_STDOUT, "one\n", 4);
	loaded_add(&loaded, PRINTED_STDERR, "two\n", 4);
	printed_begin(&printed, 100, NULL, false);
	loaded_give(&loaded, &printed);
	memcpy(printed_reserve(&printed, PRINTED_STDOUT, 6), "three\n", 6);
	printed_take(&printed, PRINTED_STDOUT, 6, 1);
	printed_finish(&printed, &log, NULL, 0, 0);
	assert_int_equal(log.text.len, 14);
	assert_memory_equal(log.text.data, "one\ntwo\nthree\n", 14);
	assert_int_equal(loaded.texts[PRINTED_STDOUT].len, 0);
}

static void what_has_no_room_is_counted(void **state)
{
	static const char text[LOADED_MAX];
	struct loaded loaded = {0};
	AUTO(printed_free) struct printed printed = {0};
	AUTO(printed_log_free) struct printed_log log = {0};

	(void)state;
	loaded_add(&loaded, PRINTED_STDOUT, text, sizeof(text));
	loaded_add(&loaded, PRINTED_STDOUT, text, 10);
	printed_begin(&printed, 2 * LOADED_MAX, NULL, false);
	loaded_give(&loaded, &printed);
	printed_finish(&printed, &log, NULL, 0, 0);
	assert_int_equal(log.text.len, LOADED_MAX);
	assert_int_equal(log.bytes, LOADED_MAX + 10);
}

static void of_a_secret_that_was_cut_nothing_is_told(void **state)
{
	static const char secret[] = "correct-horse";
	char text[LOADED_MAX];
	struct loaded loaded = {0};
	AUTO(printed_free) struct printed printed = {0};
	AUTO(printed_log_free) struct printed_log log = {0};
	AUTO(mask_free) struct mask *mask = mask_new(secret, sizeof(secret));

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text + sizeof(text) - 9, secret, 9);
	loaded_add(&loaded, PRINTED_STDOUT, text, sizeof(text));
	loaded_add(&loaded, PRINTED_STDOUT, "orse\n", 5);
	printed_begin(&printed, 2 * LOADED_MAX, mask, false);
	loaded_give(&loaded, &printed);
	memcpy(printed_reserve(&printed, PRINTED_STDOUT, 5), "mine\n", 5);
	printed_take(&printed, PRINTED_STDOUT, 5, 1);
	printed_finish(&printed, &log, NULL, 0, 0);
	assert_int_equal(log.text.len, LOADED_MAX - 9 + 3 + 5);
	assert_memory_equal(log.text.data + log.text.len - 10, "xx***mine\n", 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_printed_ahead_is_the_beginning_of_a_log),
		cmocka_unit_test(what_has_no_room_is_counted),
		cmocka_unit_test(of_a_secret_that_was_cut_nothing_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
