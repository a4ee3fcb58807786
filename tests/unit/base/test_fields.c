#include "base/fields.h"

#include "tests/unit/unit.h"

struct sample {
	uint8_t small;
	uint32_t middle;
	uint64_t large;
	struct str text;
	struct uuid id;
	struct str last;
};

static const struct field fields[] = {
	{FIELD_U8, offsetof(struct sample, small)},  {FIELD_U32, offsetof(struct sample, middle)},
	{FIELD_U64, offsetof(struct sample, large)}, {FIELD_STR, offsetof(struct sample, text)},
	{FIELD_UUID, offsetof(struct sample, id)},   {FIELD_STR, offsetof(struct sample, last)},
};

static const struct sample sample = {1, 0x02030405, 0x060708090a0b0c0d, {"te\0xt", 5}, {{1, 2, 3}}, {"", 0}};

static int decode(const void *data, size_t len, struct sample *to)
{
	return fields_decode(fields, ARRAY_SIZE(fields), data, len, to);
}

static void a_struct_comes_back_as_it_was(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct sample back;

	(void)state;
	fields_encode(fields, ARRAY_SIZE(fields), &sample, &b);
	assert_int_equal(b.len, 1 + 4 + 8 + 4 + 5 + 16 + 4);
	assert_int_equal(decode(b.data, b.len, &back), 0);
	assert_int_equal(back.small, sample.small);
	assert_int_equal(back.middle, sample.middle);
	assert_true(back.large == sample.large);
	assert_int_equal(back.text.len, 5);
	assert_memory_equal(back.text.data, "te\0xt", 5);
	assert_memory_equal(&back.id, &sample.id, sizeof(back.id));
	assert_int_equal(back.last.len, 0);
}

static void bytes_that_end_early_are_refused_at_every_length(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct sample back;

	(void)state;
	fields_encode(fields, ARRAY_SIZE(fields), &sample, &b);
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(decode(b.data, len, &back), -1);
}

static void left_over_bytes_are_refused(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct sample back;

	(void)state;
	fields_encode(fields, ARRAY_SIZE(fields), &sample, &b);
	buf_add_u8(&b, 0);
	assert_int_equal(decode(b.data, b.len, &back), -1);
}

static void a_string_longer_than_everything_is_refused(void **state)
{
	AUTO(buf_free) struct buf b = {0};
	struct sample back;

	(void)state;
	fields_encode(fields, ARRAY_SIZE(fields), &sample, &b);
	buf_put_u32(b.data + 13, UINT32_MAX);
	assert_int_equal(decode(b.data, b.len, &back), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_struct_comes_back_as_it_was),
		cmocka_unit_test(bytes_that_end_early_are_refused_at_every_length),
		cmocka_unit_test(left_over_bytes_are_refused),
		cmocka_unit_test(a_string_longer_than_everything_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
