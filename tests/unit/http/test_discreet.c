#include "http/discreet.h"

#include "tests/unit/unit.h"

static void assert_becomes(const char *text, const char *wanted)
{
	char out[200];

	assert_int_equal(discreet_text(text, strlen(text), out, sizeof(out)), strcmp(text, wanted) != 0);
	assert_string_equal(out, wanted);
}

static void paths_are_left_out_wherever_they_begin_a_word(void **state)
{
	(void)state;
	assert_becomes("connect to '/var/run/docker.sock': Connection refused", "connect to '…': Connection refused");
	assert_becomes("/a", "…");
	assert_becomes("open \"/x/y z\" (/etc/passwd), dir=/b; /c:/d", "open \"… z\" (…), dir=…; …:…");
}

static void what_is_no_path_stays(void **state)
{
	static const char *const texts[] = {
		"",
		"run scripts/egress up on this node",
		"10 / 2, and/or 1/2 is no path, nor is a single / or '/'",
		"a memory_limit_mb of 4096 exceeds what this node has (pool.memory_budget_mb)",
		"naïve: PostgreSQL 15.8",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_becomes(texts[i], texts[i]);
}

static void a_text_that_is_too_long_is_cut_between_characters(void **state)
{
	char out[8];

	(void)state;
	assert_true(discreet_text("abcd /x", 7, out, sizeof(out)));
	assert_string_equal(out, "abcd ");
	assert_false(discreet_text("abcdefghij", 10, out, sizeof(out)));
	assert_string_equal(out, "abcdefg");
}

static void every_string_of_a_json_value_is_treated(void **state)
{
	AUTO(json_decrefp)
	json_t *json = json_loads("{\"a\": [\"'/x/y'\", {\"/k\": \"at /z\"}], \"n\": 1, \"t\": \"a/b\"}", 0, NULL);
	AUTO(json_decrefp)
	json_t *wanted = json_loads("{\"a\": [\"'…'\", {\"/k\": \"at …\"}], \"n\": 1, \"t\": \"a/b\"}", 0, NULL);

	(void)state;
	discreet_json(json);
	assert_true(json_equal(json, wanted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_are_left_out_wherever_they_begin_a_word),
		cmocka_unit_test(what_is_no_path_stays),
		cmocka_unit_test(a_text_that_is_too_long_is_cut_between_characters),
		cmocka_unit_test(every_string_of_a_json_value_is_treated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
