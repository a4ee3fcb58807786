#include "base/text.h"

#include <string.h>

#include "tests/unit/unit.h"

static void pieces_follow_each_other(void **state)
{
	char out[64];
	struct text t = TEXT(out);

	(void)state;
	text_add_str(&t, "dur=");
	text_add_decimal(&t, 12, 1);
	text_add(&t, ".....", 1);
	text_add_decimal(&t, 7, 3);
	text_add_str(&t, " ");
	text_add_hex(&t, (const unsigned char[]){0x00, 0x9f, 0xff}, 3);
	assert_string_equal(out, "dur=12.007 009fff");
	assert_int_equal(t.len, strlen(out));
}

static void numbers_of_every_length_are_written_in_full(void **state)
{
	static const struct {
		uint64_t value;
		unsigned digits;
		const char *text;
	} rows[] = {
		{0, 0, "0"},
		{0, 1, "0"},
		{9, 1, "9"},
		{10, 1, "10"},
		{1234, 3, "1234"},
		{UINT64_MAX, 1, "18446744073709551615"},
		{0, 3, "000"},
		{5, 20, "00000000000000000005"},
		{5, 99, "00000000000000000005"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char out[32];
		struct text t = TEXT(out);

		text_add_decimal(&t, rows[i].value, rows[i].digits);
		assert_string_equal(out, rows[i].text);
	}
}

static void what_does_not_fit_is_left_out(void **state)
{
	char out[6] = "??????", one[1] = "?";
	struct text t = {out, 5, 0}, none = TEXT(one);

	(void)state;
	text_add_str(&t, "abc");
	text_add_str(&t, "defgh");
	assert_string_equal(out, "abcd");
	assert_int_equal(t.len, 4);
	text_add_decimal(&t, 7, 1);
	text_add_hex(&t, (const unsigned char *)"x", 1);
	assert_string_equal(out, "abcd");
	assert_int_equal(out[5], '?');

	text_add_str(&none, "a");
	assert_string_equal(one, "");
}

static void a_copy_is_cut_to_its_place(void **state)
{
	char out[4];

	(void)state;
	text_copy(out, sizeof(out), "abcdef", 2);
	assert_string_equal(out, "ab");
	text_copy(out, sizeof(out), "abcdef", 6);
	assert_string_equal(out, "abc");
	text_copy(out, sizeof(out), NULL, 0);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_follow_each_other),
		cmocka_unit_test(numbers_of_every_length_are_written_in_full),
		cmocka_unit_test(what_does_not_fit_is_left_out),
		cmocka_unit_test(a_copy_is_cut_to_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
