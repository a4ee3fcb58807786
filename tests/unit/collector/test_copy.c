#include "collector/copy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_text_becomes(const char *in, size_t len, const char *wanted)
{
	AUTO(buf_free) struct buf b = {0};

	copy_text(&b, (struct str){in, (uint32_t)len});
	assert_int_equal(buf_get_u32(b.data), strlen(wanted));
	assert_int_equal(b.len, 4 + strlen(wanted));
	assert_memory_equal(b.data + 4, wanted, strlen(wanted));
}

static void valid_text_stays_as_it_is(void **state)
{
	static const char text[] = "a\tb \xc3\xa9 \xe2\x82\xac \xed\x9f\xbf \xf0\x9f\x9a\xa2 \xf4\x8f\xbf\xbf";

	(void)state;
	assert_text_becomes(text, strlen(text), text);
	assert_text_becomes("", 0, "");
}

#define FFFD "\xef\xbf\xbd"

static void what_is_no_utf8_becomes_replacement_characters(void **state)
{
	(void)state;
	assert_text_becomes("a\0b", 3, "a" FFFD "b");
	assert_text_becomes("\xff", 1, FFFD);
	assert_text_becomes("x\xc3", 2, "x" FFFD);                        /* cut off */
	assert_text_becomes("\xc0\x80", 2, FFFD FFFD);                    /* overlong */
	assert_text_becomes("\xed\xa0\x80!", 4, FFFD FFFD FFFD "!");      /* surrogate */
	assert_text_becomes("\xf4\x90\x80\x80", 4, FFFD FFFD FFFD FFFD);  /* above U+10FFFF */
	assert_text_becomes("\xe2\x82\xc3\xa9", 4, FFFD FFFD "\xc3\xa9"); /* a good one after a bad one */
}

static void empty_text_can_be_null(void **state)
{
	AUTO(buf_free) struct buf b = {0};

	(void)state;
	copy_text_or_null(&b, STR(""));
	assert_int_equal(b.len, 4);
	assert_memory_equal(b.data, "\xff\xff\xff\xff", 4);
}

static void what_was_not_measured_is_null_and_zero_is_a_number(void **state)
{
	static const char one_and_a_half[] = "\0\0\0\x08\x3f\xf8\0\0\0\0\0", seven[] = "\0\0\0\x08\0\0\0\0\0\0\0\x07";
	static const char zero[] = "\0\0\0\x08\0\0\0\0\0\0\0";
	AUTO(buf_free) struct buf b = {0};

	(void)state;
	copy_int8_or_null(&b, COPY_NULL);
	copy_ms_or_null(&b, COPY_NULL);
	assert_int_equal(b.len, 8);
	assert_memory_equal(b.data, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
	buf_reset(&b);
	copy_int8_or_null(&b, 7);
	copy_ms_or_null(&b, 1500);
	copy_int8_or_null(&b, 0);
	copy_ms_or_null(&b, 0);
	assert_int_equal(b.len, 48);
	assert_memory_equal(b.data, seven, 12);
	assert_memory_equal(b.data + 12, one_and_a_half, 12);
	assert_memory_equal(b.data + 24, zero, 12);
	assert_memory_equal(b.data + 36, zero, 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_text_stays_as_it_is),
		cmocka_unit_test(what_is_no_utf8_becomes_replacement_characters),
		cmocka_unit_test(empty_text_can_be_null),
		cmocka_unit_test(what_was_not_measured_is_null_and_zero_is_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
