#include "ipc/counter.h"

#include "tests/unit/unit.h"

static void every_counter_has_a_label_of_its_own_in_its_family(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNTER_COUNT; i++) {
		const struct counter_row *row = &counter_rows[i];
		assert_true(row->family[0] != '\0' && row->label[0] != '\0');
		for (size_t j = 0; j < i; j++)
			if (strcmp(row->family, counter_rows[j].family) == 0 && strcmp(row->label, counter_rows[j].label) == 0)
				fail_msg("%s.%s is there twice", row->family, row->label);
	}
}

/* In messages 0 means no reason, so the first counter must not be a reason. */
static void the_kills_are_the_reasons_in_words_and_nothing_else_is(void **state)
{
	(void)state;
	assert_true(counter_is_reason(0));
	assert_true(strcmp(counter_rows[0].family, "kills") != 0);
	for (unsigned i = 1; i < COUNTER_COUNT; i++) {
		bool kill = strcmp(counter_rows[i].family, "kills") == 0;
		assert_int_equal(counter_is_reason(i), kill);
		assert_true(!kill || counter_rows[i].text[0] != '\0'); /* for the log */
	}
	assert_false(counter_is_reason(COUNTER_COUNT));
	assert_false(counter_is_reason(UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_counter_has_a_label_of_its_own_in_its_family),
		cmocka_unit_test(the_kills_are_the_reasons_in_words_and_nothing_else_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
