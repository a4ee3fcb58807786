#include "base/leb128.h"

#include "tests/unit/unit.h"

static void a_number_takes_as_few_bytes_as_it_needs_and_comes_back(void **state)
{
	static const struct {
		uint64_t value;
		size_t bytes;
	} cases[] = {
		{0, 1},          {1, 1},         {0x7f, 1},
		{0x80, 2},       {0x3fff, 2},    {0x4000, 3},
		{UINT32_MAX, 5}, {INT64_MAX, 9}, {UINT64_MAX, LEB128_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf_free) struct buf b = {0};
		uint64_t value;
		leb128_add(&b, cases[i].value);
		assert_int_equal(b.len, cases[i].bytes);
		buf_add_u8(&b, 0xff); /* the next byte, which is not part of it */
		assert_int_equal(leb128_get(b.data, b.len, &value), cases[i].bytes);
		assert_true(value == cases[i].value);
	}
}

static void a_number_that_does_not_end_is_none(void **state)
{
	static const unsigned char endless[LEB128_MAX + 1] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
	uint64_t value;

	(void)state;
	for (size_t len = 0; len <= sizeof(endless); len++)
		assert_int_equal(leb128_get(endless, len, &value), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_number_takes_as_few_bytes_as_it_needs_and_comes_back),
		cmocka_unit_test(a_number_that_does_not_end_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
