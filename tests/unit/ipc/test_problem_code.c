#include "ipc/problem_code.h"

#include <ctype.h>

#include "ipc/counter.h"
#include "tests/unit/unit.h"

static void every_code_is_unique_and_documented(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PROBLEM_COUNT; i++) {
		const char *name = problem_name(i);
		assert_int_equal(problem_find(name, strlen(name)), i); /* the first of that name */
		assert_in_range(problem_status(i), 400, 504);
		assert_true(problem_exists(i));
		assert_true(strlen(problem_title(i)) > 5);
		assert_true(strlen(problem_help(i)) > 10);
		for (const char *p = name; *p != '\0'; p++)
			assert_true(islower((unsigned char)*p) || *p == '_');
	}
	assert_int_equal(problem_find("no_such_code", 12), PROBLEM_COUNT);
	assert_false(problem_exists(PROBLEM_COUNT));
	assert_int_equal(problem_find("not_foundx", 9), PROBLEM_NOT_FOUND);
}

static void every_reason_of_throttled_is_unique_and_documented(void **state)
{
	(void)state;
	assert_string_equal(throttled_name(THROTTLED_NONE), "");
	for (unsigned i = THROTTLED_NONE + 1; i < THROTTLED_COUNT; i++) {
		assert_true(throttled_exists(i));
		assert_true(strlen(throttled_text(i)) > 10);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(throttled_name(i), throttled_name(k));
	}
	assert_true(throttled_exists(THROTTLED_NONE));
	assert_false(throttled_exists(THROTTLED_COUNT));
}

/* nginx puts both into JSON and into its configuration as they are. */
static void what_nginx_says_needs_no_escapes_and_fits_the_codes(void **state)
{
	static const struct {
		int status;
		enum problem_code problem; /* PROBLEM_COUNT: nginx's alone */
		const char *code, *title, *detail;
	} rows[] = {
#define PROBLEM(NAME, code, status, retry_after_s, title, help)
#define NGINX_PROBLEM(status, NAME, detail)     {status, PROBLEM_##NAME, "", "", detail},
#define NGINX_ONLY(status, code, title, detail) {status, PROBLEM_COUNT, #code, title, detail},
#include "ipc/problem.def"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(i == 0 || rows[i].status > rows[i - 1].status);
		assert_int_equal(problem_find(rows[i].code, strlen(rows[i].code)), PROBLEM_COUNT);
		if (rows[i].problem < PROBLEM_COUNT)
			assert_int_equal(problem_status(rows[i].problem), rows[i].status);
		assert_null(strpbrk(rows[i].title, "\"\\$"));
		assert_null(strpbrk(rows[i].detail, "\"\\"));
	}
}

static void a_denial_is_counted_under_the_name_of_its_code(void **state)
{
	static const struct {
		enum problem_code code;
		enum counter counter;
	} denials[] = {
#define DENIAL(NAME, code) {PROBLEM_##NAME, COUNT_DENY_##NAME},
#include "ipc/counter.def"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(denials); i++)
		assert_string_equal(counter_rows[denials[i].counter].label, problem_name(denials[i].code));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_is_unique_and_documented),
		cmocka_unit_test(every_reason_of_throttled_is_unique_and_documented),
		cmocka_unit_test(what_nginx_says_needs_no_escapes_and_fits_the_codes),
		cmocka_unit_test(a_denial_is_counted_under_the_name_of_its_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
