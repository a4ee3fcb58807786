#include "worker/mask.h"

#include "tests/unit/unit.h"

#define SECRETS "correct horse\0correct horse battery\0staple-1\0"

static size_t find(const char *text, size_t from, bool cut, size_t *taken)
{
	struct mask mask = {SECRETS, sizeof(SECRETS) - 1};

	return mask_find(&mask, text, strlen(text), from, cut, taken);
}

static void a_secret_is_found_where_it_is_and_the_longest_one_counts(void **state)
{
	static const struct {
		const char *text;
		size_t at, taken;
	} rows[] = {
		{"correct horse", 0, 13},          {"a correct horse battery!", 2, 21},
		{"a correct horse batter", 2, 13}, {"sstaple-1", 1, 8},
		{"correct hors", 12, 0},           {"", 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t taken = 0;
		assert_int_equal(find(rows[i].text, 0, false, &taken), rows[i].at);
		assert_int_equal(taken, rows[i].taken);
	}
}

static void of_a_text_that_was_cut_off_the_beginning_of_a_secret_counts(void **state)
{
	size_t taken = 0;

	(void)state;
	assert_int_equal(find("is correct ho", 0, true, &taken), 3);
	assert_int_equal(taken, 10);
	assert_int_equal(find("correct ho, is it", 0, true, &taken), 17);
}

static void without_secrets_nothing_is_found(void **state)
{
	struct mask mask = {NULL, 0};
	size_t taken;

	(void)state;
	assert_int_equal(mask_find(&mask, "staple-1", 8, 0, true, &taken), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_found_where_it_is_and_the_longest_one_counts),
		cmocka_unit_test(of_a_text_that_was_cut_off_the_beginning_of_a_secret_counts),
		cmocka_unit_test(without_secrets_nothing_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
