#include "base/utf8.h"

#include "tests/unit/unit.h"

#define R "\xef\xbf\xbd" /* U+FFFD */

static void assert_repaired(const char *text, size_t len, const char *wanted)
{
	AUTO(buf_free) struct buf out = {0};

	utf8_repair(&out, text, len);
	if (strcmp(buf_str(&out), wanted) != 0)
		fail_msg("'%.*s' became '%s' instead of '%s'", (int)len, text, buf_str(&out), wanted);
}

static void text_stays_as_it_is(void **state)
{
	static const char *const texts[] = {
		"",
		"plain\n",
		"gr\xc3\xbc\xc3\x9f",
		"\xe2\x82\xac",
		"\xf0\x9f\x98\x80",
		"\xed\x9f\xbf\xee\x80\x80",
		"\xf4\x8f\xbf\xbf",
		R,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_repaired(texts[i], strlen(texts[i]), texts[i]);
}

static void each_byte_that_is_no_text_is_replaced_and_what_is_around_it_stays(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *wanted;
	} cases[] = {
		{"a\0b", 3, "a" R "b"},
		{"\xff", 1, R},
		{"a\x80z", 3, "a" R "z"},
		{"\xc3", 1, R},                   /* cut short */
		{"\xe2\x82", 2, R R},             /* likewise */
		{"\xe2\x82z", 3, R R "z"},        /* likewise, before another character */
		{"\xc0\xaf", 2, R R},             /* "/" in too many bytes */
		{"\xe0\x80\xaf", 3, R R R},       /* likewise */
		{"\xed\xa0\x80", 3, R R R},       /* half of a pair */
		{"\xf4\x90\x80\x80", 4, R R R R}, /* beyond U+10FFFF */
		{"\xc3\xbc\xff\xe2\x82\xac", 6, "\xc3\xbc" R "\xe2\x82\xac"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_repaired(cases[i].text, cases[i].len, cases[i].wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_stays_as_it_is),
		cmocka_unit_test(each_byte_that_is_no_text_is_replaced_and_what_is_around_it_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
