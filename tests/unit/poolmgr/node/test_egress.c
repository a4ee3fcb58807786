#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "poolmgr/node/egress.h"

static char *directory, *path;
static struct conf *conf;
static int lost, found;

static void on_change(bool is_there)
{
	if (is_there)
		found++;
	else
		lost++;
}

static int set_up(void **state)
{
	char name[] = "/tmp/test_egress.XXXXXX";

	(void)state;
	if (mkdtemp(name) == NULL || conf_load_file(NULL, &conf, NULL) < 0)
		return -1;
	directory = mem_printf("%s/%s", name, conf->master_instance);
	path = mem_printf("%s/state", directory);
	egress_directory = strdup(name);
	return mkdir(directory, 0755);
}

static int tear_down(void **state)
{
	(void)state;
	unlink(path);
	rmdir(directory);
	rmdir(egress_directory);
	free((char *)egress_directory);
	mem_free(&directory);
	mem_free(&path);
	conf_free(&conf);
	return 0;
}

static int begin(void **state)
{
	(void)state;
	unlink(path);
	lost = found = 0;
	egress_init(conf, on_change);
	return 0;
}

/* As scripts/egress does it: a new file in the place of the other one. */
static void say(const char *text)
{
	AUTO(mem_free) char *new = mem_printf("%s.new", path);
	FILE *file = fopen(new, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(rename(new, path), 0);
}

static void assert_problem(const char *part)
{
	assert_non_null(egress_problem());
	if (strstr(egress_problem(), part) == NULL)
		fail_msg("'%s' has no '%s'", egress_problem(), part);
}

static void what_was_not_looked_for_is_not_there(void **state)
{
	(void)state;
	assert_problem("not been checked yet");
	egress_tick(1);
	assert_problem("scripts/egress up");
	assert_int_equal(lost + found, 0); /* it never was there */
}

static void it_is_there_when_it_is_said_to_be_ok_and_nothing_else(void **state)
{
	static const char *const others[] = {"", "\n", "OK\n", "okay\n", "ok?\n", " ok\n", "its rules are not there\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		say("ok\n");
		egress_tick(1);
		assert_null(egress_problem());
		say(others[i]);
		egress_tick(2);
		assert_non_null(egress_problem());
		assert_int_equal(lost, (int)i + 1);
	}
	assert_problem("does not work: its rules are not there");
}

static void a_reason_without_end_is_cut(void **state)
{
	char text[5000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	say(text);
	egress_tick(1);
	assert_in_range(strlen(egress_problem()), 100, 300);
}

static void what_nobody_says_again_for_a_while_does_not_hold_any_more(void **state)
{
	(void)state;
	say("ok\n");
	egress_tick(1);
	egress_tick(EGRESS_STALE_US + 1);
	assert_null(egress_problem());
	egress_tick(EGRESS_STALE_US + 2);
	assert_problem("are not watched");
	assert_int_equal(lost, 1);
	egress_tick(EGRESS_STALE_US + 3);
	assert_int_equal(lost, 1);
	say("ok\n");
	egress_tick(EGRESS_STALE_US + 4);
	assert_null(egress_problem());
	assert_int_equal(found, 2);
}

static void what_is_removed_is_gone_at_once(void **state)
{
	(void)state;
	say("ok\n");
	egress_tick(1);
	unlink(path);
	egress_tick(2);
	assert_problem("scripts/egress up");
	assert_int_equal(lost, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_was_not_looked_for_is_not_there, begin),
		cmocka_unit_test_setup(it_is_there_when_it_is_said_to_be_ok_and_nothing_else, begin),
		cmocka_unit_test_setup(a_reason_without_end_is_cut, begin),
		cmocka_unit_test_setup(what_nobody_says_again_for_a_while_does_not_hold_any_more, begin),
		cmocka_unit_test_setup(what_is_removed_is_gone_at_once, begin),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
