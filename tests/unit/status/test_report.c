#include "status/report.h"

#include "tests/unit/unit.h"

static char *report(const char *json)
{
	json_t *stats = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(stats);
	assert_non_null(out);
	report_print(stats, 4711, out);
	assert_int_equal(fclose(out), 0);
	json_decref(stats);
	return text;
}

static void assert_says(const char *text, const char *line)
{
	if (strstr(text, line) == NULL)
		fail_msg("'%s' is not in:\n%s", line, text);
}

static void everything_has_its_place(void **state)
{
	char *text = report(
		"{\"berthd\":{\"version\":\"1.2.3\",\"instance\":\"here\",\"uptime_ms\":93784000},"
		"\"docker\":{\"ok\":true,\"detail\":\"\",\"version\":\"20.10\"},\"database\":{\"ok\":false,"
		"\"detail\":\"no route\"},"
		"\"lanes\":{\"count\":32,\"waiting\":9,\"longest\":7},"
		"\"processes\":{\"invoke\":{\"starting\":0,\"idle\":3,\"busy\":1,\"stopping\":0,\"silent\":2,\"requests\":12,"
		"\"dropped_records\":5},"
		"\"control\":{\"dropped_records\":2}},\"spool_bytes\":99,"
		"\"sandboxes\":{\"spare\":4,\"leased\":2},\"waiting\":6,\"memory\":{\"committed_mb\":768,\"budget_mb\":4096},"
		"\"shapes\":[{\"shape\":\"docker/"
		"python\",\"sandboxes\":{\"spare\":4,\"leased\":2},\"spares_wanted\":8,\"waiting\":6,"
		"\"problem\":\"no space\"}],\"shapes_left_out\":3,"
		"\"functions\":[{\"name\":\"hello\",\"version\":7,\"status\":\"current\",\"sandboxes\":{\"leased\":"
		"2},\"waiting\":6,"
		"\"min_warm\":3,\"max_concurrency\":50,\"usual_us\":1234}],\"functions_left_out\":0,"
		"\"uptime_ms\":61000,\"counters\":{\"kills\":{\"timeout\":3,\"ended\":0,\"exited\":1},\"drift\":{"
		"\"lost\":0}}}");

	(void)state;
	assert_says(text, "berthd 1.2.3, instance 'here', pid 4711, up 1 d 2 h\n");
	assert_says(text, "Docker Engine  answers, version 20.10\n");
	assert_says(text, "PostgreSQL     no route\n");
	assert_says(text, "  invoke          0     3     1         0       2        12\n");
	assert_says(text, "requests waiting for a worker: 9, in one lane of 32 at most 7\n");
	assert_says(text, "records waiting for PostgreSQL: 99 bytes, dropped: 7\n");
	assert_says(
		text,
		"  docker/python         0        0      4         0        0       2     0      0              8        6\n");
	assert_says(
		text,
		"  all                   0        0      4         0        0       2     0      0                       6\n");
	assert_says(text, "  docker/python: no space\n");
	assert_says(text, "… and 3 more\n");
	assert_says(text, "memory they may use: 768 MB of 4096 MB\n");
	assert_says(
		text,
		"  hello          7  current         0        0       2     0        6         3               50       1.2\n");
	assert_says(text, "Counted in the 1 min 1 s since");
	assert_says(text, "  kills  timeout 3, exited 1\n");
	assert_says(text, "  drift  none\n");
	free(text);
}

/* Of another version, perhaps. */
static void what_is_missing_or_of_another_type_is_no_failure(void **state)
{
	static const char *const cases[] = {
		"{}",
		"{\"berthd\":[],\"docker\":1,\"processes\":[],\"shapes\":{},\"functions\":7,\"counters\":[],\"sandboxes\":"
		"\"x\"}",
		"{\"processes\":{\"invoke\":1},\"shapes\":[1],\"functions\":[null],\"counters\":{\"kills\":3}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = report(cases[i]);
		assert_says(text, "pid 4711");
		free(text);
	}
}

static void a_duration_has_its_two_largest_units(void **state)
{
	static const struct {
		const char *ms, *text;
	} cases[] = {
		{"0", "up 0 s\n"},        {"59999", "up 59 s\n"},        {"60000", "up 1 min\n"},
		{"3600000", "up 1 h\n"},  {"7380000", "up 2 h 3 min\n"}, {"86400000", "up 1 d\n"},
		{"86460000", "up 1 d\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char json[80];
		snprintf(json, sizeof(json), "{\"berthd\":{\"uptime_ms\":%s}}", cases[i].ms);
		char *text = report(json);
		assert_says(text, cases[i].text);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_has_its_place),
		cmocka_unit_test(what_is_missing_or_of_another_type_is_no_failure),
		cmocka_unit_test(a_duration_has_its_two_largest_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
