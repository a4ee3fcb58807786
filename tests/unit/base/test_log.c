#include "base/log.h"

#include <fcntl.h>
#include <locale.h>
#include <stdbool.h>
#include <wchar.h>

#include "base/fd.h"
#include "tests/unit/unit.h"

/* What was logged since the last call, from a pipe in place of stderr. */
static int log_end;
static char text[8192];

static const char *logged(void)
{
	ssize_t n = read(log_end, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static int catch_stderr(void **state)
{
	static int saved;
	int ends[2];

	saved = dup(STDERR_FILENO);
	*state = &saved;
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0 || dup2(ends[1], STDERR_FILENO) < 0)
		return -1;
	log_end = ends[0];
	return close(ends[1]);
}

static int release_stderr(void **state)
{
	int *saved = *state;

	dup2(*saved, STDERR_FILENO);
	fd_close(saved);
	fd_close(&log_end);
	return 0;
}

static void an_event_is_one_line_with_its_origin(void **state)
{
	(void)state;
	log_init("invoke/3", LOG_INFO);
	log_info("hello %d", 7);
	const char *line = logged();
	assert_non_null(strstr(line, " level=info proc=invoke/3 pid="));
	assert_non_null(strstr(line, " msg=\"hello 7\"\n"));
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void what_is_below_the_level_is_not_written(void **state)
{
	(void)state;
	log_init("x", LOG_WARN);
	log_info("quiet");
	log_sandbox(LOG_DEBUG, "s", "quiet");
	assert_string_equal(logged(), "");
	assert_false(log_is_on(LOG_INFO));
	assert_true(log_is_on(LOG_WARN) && log_is_on(LOG_ERROR));
	log_warn("loud");
	assert_non_null(strstr(logged(), "loud"));
}

static void names_of_request_and_sandbox_are_on_the_line(void **state)
{
	(void)state;
	log_init("x", LOG_DEBUG);
	log_set_request("r-1");
	log_sandbox(LOG_DEBUG, "sb", "both");
	assert_non_null(strstr(logged(), " req=\"r-1\" sandbox=\"sb\" msg=\"both\"\n"));
	log_set_request(NULL);
	log_error("none");
	assert_null(strstr(logged(), "req="));
}

static void hostile_text_cannot_forge_a_line(void **state)
{
	(void)state;
	log_init("x", LOG_DEBUG);
	log_info("a\nb\"c\\d\x7f\x1b");
	assert_non_null(strstr(logged(), "msg=\"a\\x0ab\\\"c\\\\d\\x7f\\x1b\"\n"));
}

static void long_lines_are_cut_off_but_stay_lines(void **state)
{
	char huge[4000];

	(void)state;
	log_init("x", LOG_DEBUG);
	memset(huge, '\n', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	log_set_request(huge);
	log_sandbox(LOG_ERROR, huge, "%s", huge);
	log_set_request(NULL);
	const char *line = logged();
	assert_true(strlen(line) <= 2048);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

/* Is it UTF-8, with no character cut off? */
static bool is_utf8(const char *s)
{
	mbstate_t at_start = {0};

	return mbsrtowcs(NULL, &s, 0, &at_start) != (size_t)-1;
}

static void no_character_is_cut_in_two(void **state)
{
	char huge[4000];

	(void)state;
	log_init("x", LOG_DEBUG);
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	for (size_t shift = 0; shift < 4; shift++) {
		memset(huge, 'x', shift);
		for (size_t i = shift; i + sizeof("\U0001f600") <= sizeof(huge); i += 4)
			memcpy(huge + i, "\U0001f600", sizeof("\U0001f600"));
		log_set_request(huge);
		log_sandbox(LOG_ERROR, huge, "%s", huge);
		const char *line = logged();
		assert_true(is_utf8(line));
		assert_int_equal(strlen(line), strcspn(line, "\n") + 1);
		assert_non_null(strstr(line, "\U0001f600\"\n"));
	}
	log_set_request(NULL);
	log_info("%s", "whole: \u20ac");
	assert_non_null(strstr(logged(), "whole: \u20ac\"\n"));
	setlocale(LC_CTYPE, "C");
}

static void level_names_are_known(void **state)
{
	(void)state;
	assert_int_equal(log_level_parse("debug"), LOG_DEBUG);
	assert_int_equal(log_level_parse("error"), LOG_ERROR);
	assert_int_equal(log_level_parse("fatal"), -1);
	assert_non_null(strstr(LOG_LEVEL_WORDS, " info warn"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_event_is_one_line_with_its_origin, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(what_is_below_the_level_is_not_written, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(names_of_request_and_sandbox_are_on_the_line, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(hostile_text_cannot_forge_a_line, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(long_lines_are_cut_off_but_stay_lines, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(no_character_is_cut_in_two, catch_stderr, release_stderr),
		cmocka_unit_test(level_names_are_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
