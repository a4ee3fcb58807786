#include "api/db_problem.h"

#include <errno.h>

#include "base/log.h"
#include "tests/unit/unit.h"

static void what_the_database_refuses_is_a_problem_in_the_words_of_the_api(void **state)
{
	static const struct {
		int code;
		enum problem_code problem;
		const char *part;
	} cases[] = {
		{ENOENT, PROBLEM_NOT_FOUND, "'hello'"},
		{EEXIST, PROBLEM_NAME_TAKEN, "PUT /functions/hello"},
		{ESTALE, PROBLEM_VERSION_MISMATCH, "read it again"},
		{EINPROGRESS, PROBLEM_OUTCOME_UNKNOWN, "Read the function before you repeat the request"},
		{ENOTCONN, PROBLEM_STORE_UNAVAILABLE, ""},
		{E2BIG, PROBLEM_INVALID_REQUEST, "a longer step or a shorter period"},
		{ETIMEDOUT, PROBLEM_STORE_UNAVAILABLE, "did not answer in time"},
		{EAGAIN, PROBLEM_STORE_UNAVAILABLE, "did not answer in time"},
		{EINVAL, PROBLEM_INTERNAL_ERROR, "berthd.log says why"},
	};

	(void)state;
	log_init("test", LOG_ERROR);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(problem_clear) struct problem problem = {0};
		struct err err = {.code = cases[i].code, .msg = "role berth at db.internal"};
		db_problem(&problem, &err, "hello");
		assert_int_equal(problem.code, cases[i].problem);
		assert_non_null(strstr(problem.detail, cases[i].part));
		assert_null(strstr(problem.detail, "db.internal")); /* host names are only for the log */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_database_refuses_is_a_problem_in_the_words_of_the_api),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
