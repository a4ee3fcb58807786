#include "http/json_text.h"

#include "base/mem.h"
#include "tests/unit/unit.h"

static void any_bytes_become_text(void **state)
{
	(void)state;
	AUTO(json_decrefp) json_t *good = json_text("\xc3\xa4");
	AUTO(json_decrefp) json_t *bad = json_text("a\xff\xc3z");
	AUTO(json_decrefp) json_t *none = json_textn("\xff", 0);

	assert_string_equal(json_string_value(good), "\xc3\xa4");
	assert_string_equal(json_string_value(bad), "a??z");
	assert_string_equal(json_string_value(none), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bytes_become_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
