#include "base/buf.h"

#include "tests/unit/unit.h"

static void an_unused_buffer_is_the_empty_string(void **state)
{
	AUTO(buf_free) struct buf b = {0};

	(void)state;
	assert_string_equal(buf_str(&b), "");
	buf_reset(&b);
	buf_consume(&b, 5);
	assert_int_equal(b.len, 0);
}

static void text_is_terminated_after_each_append(void **state)
{
	AUTO(buf_free) struct buf b = {0};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		buf_add_str(&b, "ab");
		assert_int_equal(strlen(b.data), b.len);
		assert_true(b.len < b.cap);
	}
}

static void bytes_with_nul_are_kept(void **state)
{
	AUTO(buf_free) struct buf b = {0};

	(void)state;
	buf_add(&b, "a\0b", 3);
	buf_add(&b, NULL, 0);
	assert_int_equal(b.len, 3);
	assert_memory_equal(b.data, "a\0b", 4);
}

static void integers_are_big_endian_and_come_back(void **state)
{
	AUTO(buf_free) struct buf b = {0};

	(void)state;
	buf_add_u8(&b, 0x01);
	buf_add_u32(&b, 0x02030405);
	buf_add_u64(&b, 0x060708090a0b0c0d);
	assert_memory_equal(b.data, "\1\2\3\4\5\6\7\10\11\12\13\14\15", 13);
	assert_int_equal(buf_get_u32(b.data + 1), 0x02030405);
	assert_true(buf_get_u64(b.data + 5) == 0x060708090a0b0c0d);
	buf_put_u32(b.data + 1, UINT32_MAX);
	buf_put_u64(b.data + 5, UINT64_MAX);
	assert_int_equal(buf_get_u32(b.data + 1), UINT32_MAX);
	assert_true(buf_get_u64(b.data + 5) == UINT64_MAX);
}

static void printf_of_any_length_is_whole(void **state)
{
	(void)state;
	for (int width = 1; width < 1200; width += 7) {
		AUTO(buf_free) struct buf b = {0};
		buf_add_str(&b, "<");
		buf_printf(&b, "%*d", width, 7);
		buf_add_str(&b, ">");
		assert_int_equal(b.len, width + 2);
		assert_int_equal(b.data[width], '7');
	}
}

static void consume_drops_the_front(void **state)
{
	AUTO(buf_free) struct buf b = {0};

	(void)state;
	buf_add_str(&b, "hello");
	buf_consume(&b, 0);
	assert_string_equal(buf_str(&b), "hello");
	buf_consume(&b, 2);
	assert_string_equal(buf_str(&b), "llo");
	buf_consume(&b, 3);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(b.len, 0);
}

static void reset_keeps_the_memory(void **state)
{
	AUTO(buf_free) struct buf b = {0};

	(void)state;
	buf_add_str(&b, "hello");
	size_t cap = b.cap;
	buf_reset(&b);
	assert_int_equal(b.cap, cap);
	assert_string_equal(buf_str(&b), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unused_buffer_is_the_empty_string),
		cmocka_unit_test(text_is_terminated_after_each_append),
		cmocka_unit_test(bytes_with_nul_are_kept),
		cmocka_unit_test(integers_are_big_endian_and_come_back),
		cmocka_unit_test(printf_of_any_length_is_whole),
		cmocka_unit_test(consume_drops_the_front),
		cmocka_unit_test(reset_keeps_the_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
