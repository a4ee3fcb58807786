#include "control/metrics/exposition.h"

#include "tests/unit/unit.h"

static void a_family_begins_with_its_help_and_type(void **state)
{
	AUTO(buf_free) struct buf text = {0};

	(void)state;
	exposition_family(&text, "berth_x_total", "counter", "What \"x\" is\\was\nhere");
	assert_string_equal(buf_str(&text), "# HELP berth_x_total What \"x\" is\\\\was\\nhere\n# TYPE berth_x_total counter\n");
}

static void a_sample_without_labels_has_no_braces(void **state)
{
	AUTO(buf_free) struct buf text = {0};

	(void)state;
	exposition_sample(&text, "berth_x", "", (struct exposition_label[]){{0}}, 0.25);
	assert_string_equal(buf_str(&text), "berth_x 0.25\n");
}

static void labels_follow_one_another(void **state)
{
	AUTO(buf_free) struct buf text = {0};

	(void)state;
	exposition_sample(&text, "x", "_bucket", (struct exposition_label[]){{"runtime", "docker"}, {"le", "+Inf"}, {0}}, 3);
	assert_string_equal(buf_str(&text), "x_bucket{runtime=\"docker\",le=\"+Inf\"} 3\n");
}

static void a_value_cannot_end_its_quotes_or_its_line(void **state)
{
	static const struct {
		const char *value, *written;
	} cases[] = {
		{"", ""},   {"a\"} 1\nb{c=\"", "a\\\"} 1\\nb{c=\\\""}, {"\\", "\\\\"}, {"\\n", "\\\\n"}, {"\\\"", "\\\\\\\""},
		{"ü", "ü"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(buf_free) struct buf text = {0}, wanted = {0};
		exposition_sample(&text, "x", "", (struct exposition_label[]){{"a", cases[i].value}, {0}}, 1);
		buf_printf(&wanted, "x{a=\"%s\"} 1\n", cases[i].written);
		assert_string_equal(buf_str(&text), buf_str(&wanted));
	}
}

static void big_counts_are_written_to_the_last_digit(void **state)
{
	AUTO(buf_free) struct buf text = {0};

	(void)state;
	exposition_sample(&text, "x", "", (struct exposition_label[]){{0}}, 999999999999999);
	assert_string_equal(buf_str(&text), "x 999999999999999\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_family_begins_with_its_help_and_type),
		cmocka_unit_test(a_sample_without_labels_has_no_braces),
		cmocka_unit_test(labels_follow_one_another),
		cmocka_unit_test(a_value_cannot_end_its_quotes_or_its_line),
		cmocka_unit_test(big_counts_are_written_to_the_last_digit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
