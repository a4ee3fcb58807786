#include "conf/conf.h"

#include <fcntl.h>
#include <ini.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

static const struct {
	const char *section, *key;
	long long min, max;
} int_settings[] = {
#define CONF_INT(s, k, d, lo, hi, u, w, t) {#s, #k, lo, hi},
#define CONF_STR(s, k, d, w, t)
#include "conf/conf.def"
#undef CONF_INT
#undef CONF_STR
};

static int load(const char *text, struct conf **conf, struct err *err)
{
	AUTO(unit_remove_dir) char *dir = unit_make_dir();
	AUTO(mem_free) char *path = mem_printf("%s/berth.conf", dir);

	unit_write_file(path, text);
	return conf_load_file(path, conf, err);
}

static int load_int(const char *section, const char *key, long long value, struct err *err)
{
	AUTO(mem_free) char *text = mem_printf("[%s]\n%s = %lld\n", section, key, value);
	AUTO(conf_free) struct conf *conf = NULL;

	return load(text, &conf, err);
}

static char *dump(const struct conf *conf)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	conf_dump(conf, out);
	fclose(out);
	return text;
}

static void the_defaults_are_valid(void **state)
{
	AUTO(conf_free) struct conf *conf = NULL;
	struct err err;

	(void)state;
	assert_ok(conf_load_file(NULL, &conf, &err));
	assert_string_equal(conf->invoke_user, "berth");
	assert_int_equal(conf->limits_timeout_default_ms, 3000);
	conf_free(&conf);
	assert_ok(load("", &conf, &err));
}

static void every_number_is_refused_outside_its_range(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(int_settings); i++) {
		const char *section = int_settings[i].section, *key = int_settings[i].key;
		AUTO(mem_free) char *name = mem_printf("%s.%s", section, key);
		assert_fails(load_int(section, key, int_settings[i].min - 1, &err), name);
		assert_fails(load_int(section, key, int_settings[i].max + 1, &err), "is invalid: it must be");
	}
}

static void every_number_is_accepted_at_the_ends_of_its_range(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(int_settings); i++) {
		const long long ends[] = {int_settings[i].min, int_settings[i].max};
		for (size_t e = 0; e < ARRAY_SIZE(ends); e++) {
			/* Some ends do not go with the defaults of other settings: that is a message of its own. */
			if (load_int(int_settings[i].section, int_settings[i].key, ends[e], &err) < 0)
				assert_non_null(strstr(err.msg, " is larger than "));
		}
	}
}

static void every_default_of_a_function_has_a_maximum_it_may_not_exceed(void **state)
{
	int defaults = 0;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(int_settings); i++) {
		const char *at = strstr(int_settings[i].key, "_default");
		if (at == NULL)
			continue;
		AUTO(conf_free) struct conf *conf = NULL;
		AUTO(mem_free)
		char *max =
			mem_printf("%.*s_max%s", (int)(at - int_settings[i].key), int_settings[i].key, at + strlen("_default"));
		AUTO(mem_free)
		char *equal = mem_printf("[limits]\n%s = %lld\n%s = %lld\n", max, int_settings[i].min, int_settings[i].key,
					 int_settings[i].min);
		assert_ok(load(equal, &conf, &err));
		AUTO(mem_free)
		char *larger = mem_printf("[limits]\n%s = %lld\n%s = %lld\n", max, int_settings[i].min, int_settings[i].key,
					  int_settings[i].min + 1);
		AUTO(mem_free) char *message = mem_printf("limits_%s is larger than limits_%s", int_settings[i].key, max);
		conf_free(&conf);
		assert_fails(load(larger, &conf, &err), message);
		defaults++;
	}
	assert_int_equal(defaults, 9);
}

static void what_is_no_number_is_refused(void **state)
{
	static const char *const bad[] = {"", "x", "1x", "0x10", "1.5", "1 2", "99999999999999999999"};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO(mem_free) char *text = mem_printf("[control]\nworkers = %s\n", bad[i]);
		AUTO(conf_free) struct conf *conf = NULL;
		assert_fails(load(text, &conf, &err), "control.workers");
		assert_null(conf);
	}
}

static void the_message_names_file_line_and_setting(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{"[master]\n\nnonsense = 1\n", "/berth.conf line 3: unknown setting [master] nonsense"},
		{"user = berth\n", "line 1: unknown setting [] user"},
		{"[masters]\nuser = berth\n", "line 2: unknown setting [masters] user"},
		{"[control]\nworkers = x\nworkers = y\n", "line 2: control.workers = 'x' is not a whole number"},
		{"[control]\nworkers\n", "line 2: neither a [section] nor 'key = value'"},
		{"[control\n", "line 1: neither a [section] nor 'key = value'"},
		{"[log]\nlevel = loud\n", "log.level = 'loud' must be one of: "},
		{"[master]\ninstance = A B\n", "master.instance = 'A B' may contain only"},
		{"[master]\ninstance =\n", "master.instance = '' may contain only"},
		{"[http]\nserver_names =\n", "http.server_names = '' is not a list of lower-case host names"},
		{"[http]\nserver_names = a.example; return 200\n", "is not a list of lower-case host names"},
		{"[http]\nserver_names = B.example\n", "is not a list of lower-case host names"},
		{"[lambda]\nregion =\n", "lambda.region = '' must have 1 to 32 characters of a-z 0-9 -"},
		{"[lambda]\nregion = eu:west\n", "lambda.region = 'eu:west' must have 1 to 32"},
		{"[lambda]\nregion = abcdefghijklmnopqrstuvwxyz-1234567\n", "must have 1 to 32"},
		{"[lambda]\naccount_id = 12345678901\n", "lambda.account_id = '12345678901' must be 12 digits"},
		{"[lambda]\naccount_id = 12345678901x\n", "must be 12 digits"},
		{"[invoke]\nmin_spare = 129\n", "invoke_min_spare is larger than invoke_max_workers"},
		{"[master]\nrun_dir = run\n", "master.run_dir = 'run' is not an absolute path"},
		{"[database]\n  conninfo = x\n", "line 2: a setting must not be indented"},
		{"[database]\nconninfo = a\n\tuser = b\n", "line 3: a setting must not be indented"},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(conf_free) struct conf *conf = NULL;
		assert_fails(load(cases[i].text, &conf, &err), cases[i].message);
	}
}

static void lines_too_long_for_the_parser_are_refused_comments_too(void **state)
{
	AUTO(mem_free) char *setting = mem_printf("[log]\nlevel = info\n[database]\nconninfo = %0200d\n", 1);
	AUTO(mem_free) char *comment = mem_printf("; %0300d\n", 1);
	AUTO(conf_free) struct conf *conf = NULL;
	struct err err;

	(void)state;
	assert_fails(load(setting, &conf, &err), "line 4: longer than 198 characters");
	assert_fails(load(comment, &conf, &err), "line 1: longer than 198 characters");
}

static void a_socket_address_has_to_fit(void **state)
{
	AUTO(mem_free) char *fits = mem_printf("[master]\nrun_dir = /%094d\n", 1);
	AUTO(mem_free) char *too_long = mem_printf("[master]\nrun_dir = /%095d\n", 1);
	AUTO(conf_free) struct conf *conf = NULL;
	struct err err;

	(void)state;
	assert_fails(load(too_long, &conf, &err), "master.run_dir is longer than 94 bytes");
	assert_fails(load(fits, &conf, &err), "master.run_dir is longer than 94 bytes");
	fits[strlen(fits) - 2] = '\n';
	assert_ok(load(fits, &conf, &err));
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
	AUTO(conf_free) struct conf *conf = NULL;
	struct err err;

	(void)state;
	assert_fails(conf_load_file("/nonexistent/berth.conf", &conf, &err), "No such file");
	assert_fails(conf_load_file("/tmp", &conf, &err), "Is a directory");
	assert_null(conf);
}

static void a_dump_can_be_loaded_and_says_the_same(void **state)
{
	static const char text[] =
		"[master]\ninstance = test-1\n[database]\nconninfo = host=/run user='a b' #=;\n"
		"[sandbox]\nimages = python=p:1 javascript=j\n[control]\nworkers = 9\n[pool]\nmin_spares = 0\n";
	AUTO(conf_free) struct conf *conf = NULL, *again = NULL;
	struct err err;

	(void)state;
	assert_ok(load(text, &conf, &err));
	AUTO(mem_free) char *first = dump(conf);
	assert_ok(load(first, &again, &err));
	AUTO(mem_free) char *second = dump(again);
	assert_string_equal(first, second);
	assert_int_equal(again->control_workers, 9);
	assert_string_equal(again->database_conninfo, conf->database_conninfo);
}

static void no_line_of_a_dump_is_too_long_for_the_parser(void **state)
{
	AUTO(conf_free) struct conf *conf = NULL;
	struct err err;

	(void)state;
	assert_ok(conf_load_file(NULL, &conf, &err));
	AUTO(mem_free) char *text = dump(conf);
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (strlen(line) > INI_MAX_LINE - 2)
			fail_msg("%zu characters: %s", strlen(line), line);
}

static void the_longest_value_that_loads_can_be_dumped_and_loaded(void **state)
{
	size_t longest = 0;
	struct err err;

	(void)state;
	for (int width = 150; width < INI_MAX_LINE; width++) {
		AUTO(mem_free) char *text = mem_printf("[database]\nconninfo=%0*d\n", width, 1);
		AUTO(conf_free) struct conf *conf = NULL, *again = NULL;
		if (load(text, &conf, &err) < 0)
			continue;
		AUTO(mem_free) char *dumped = dump(conf);
		assert_ok(load(dumped, &again, &err));
		longest = MAX(longest, strlen(again->database_conninfo));
	}
	assert_in_range(longest, 180, INI_MAX_LINE);
}

static void a_descriptor_is_read_from_its_start_each_time(void **state)
{
	AUTO(unit_remove_dir) char *dir = unit_make_dir();
	AUTO(mem_free) char *path = mem_printf("%s/berth.conf", dir);
	struct err err;

	(void)state;
	unit_write_file(path, "[control]\nworkers = 7\n");
	AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		AUTO(conf_free) struct conf *conf = NULL;
		assert_ok(conf_load_fd(fd, &conf, &err));
		assert_int_equal(conf->control_workers, 7);
	}
}

static void a_reload_keeps_what_only_a_restart_can_change(void **state)
{
	AUTO(conf_free) struct conf *now = NULL, *next = NULL;
	AUTO(buf_free) struct buf ignored = {0};
	struct err err;

	(void)state;
	assert_ok(conf_load_file(NULL, &now, &err));
	assert_ok(load("[master]\nnode = other\nstop_timeout_ms = 500\n[limits]\nrequest_bytes = 2048\n", &next, &err));
	assert_ok(conf_keep_restart(now, next, &ignored, &err));
	assert_string_equal(buf_str(&ignored), "master.node, limits.request_bytes");
	assert_string_equal(next->master_node, "");
	assert_int_equal(next->limits_request_bytes, now->limits_request_bytes);
	assert_int_equal(next->master_stop_timeout_ms, 500);
}

static void a_reload_without_such_a_change_ignores_nothing(void **state)
{
	AUTO(conf_free) struct conf *now = NULL, *next = NULL;
	AUTO(buf_free) struct buf ignored = {0};
	struct err err;

	(void)state;
	assert_ok(conf_load_file(NULL, &now, &err));
	assert_ok(load("[log]\nlevel = debug\n", &next, &err));
	assert_ok(conf_keep_restart(now, next, &ignored, &err));
	assert_int_equal(ignored.len, 0);
	assert_string_equal(next->log_level, "debug");
}

static void a_reload_that_does_not_go_with_the_old_values_is_refused(void **state)
{
	AUTO(conf_free) struct conf *now = NULL, *next = NULL;
	AUTO(buf_free) struct buf ignored = {0};
	struct err err;

	(void)state;
	assert_ok(load("[limits]\ntimeout_max_ms = 5000\n", &now, &err));
	assert_ok(load("[limits]\ntimeout_max_ms = 9000\ntimeout_default_ms = 8000\n", &next, &err));
	assert_fails(conf_keep_restart(now, next, &ignored, &err), "is larger than limits_timeout_max_ms");
}

static void turns_are_what_is_set_or_follow_the_processors(void **state)
{
	int processors = (int)MAX(2, sysconf(_SC_NPROCESSORS_ONLN));
	AUTO(conf_free) struct conf *conf = NULL, *set = NULL;
	struct err err;

	(void)state;
	assert_ok(conf_load_file(NULL, &conf, &err));
	assert_int_equal(conf_turns(conf), processors + processors / 2);
	assert_ok(load("[invoke]\nturns = 1\n", &set, &err));
	assert_int_equal(conf_turns(set), 1);
	assert_int_equal(conf_turns(conf), processors + processors / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_valid),
		cmocka_unit_test(every_number_is_refused_outside_its_range),
		cmocka_unit_test(every_number_is_accepted_at_the_ends_of_its_range),
		cmocka_unit_test(every_default_of_a_function_has_a_maximum_it_may_not_exceed),
		cmocka_unit_test(what_is_no_number_is_refused),
		cmocka_unit_test(the_message_names_file_line_and_setting),
		cmocka_unit_test(lines_too_long_for_the_parser_are_refused_comments_too),
		cmocka_unit_test(a_socket_address_has_to_fit),
		cmocka_unit_test(a_file_that_cannot_be_read_is_an_error),
		cmocka_unit_test(a_dump_can_be_loaded_and_says_the_same),
		cmocka_unit_test(no_line_of_a_dump_is_too_long_for_the_parser),
		cmocka_unit_test(the_longest_value_that_loads_can_be_dumped_and_loaded),
		cmocka_unit_test(a_descriptor_is_read_from_its_start_each_time),
		cmocka_unit_test(a_reload_keeps_what_only_a_restart_can_change),
		cmocka_unit_test(a_reload_without_such_a_change_ignores_nothing),
		cmocka_unit_test(a_reload_that_does_not_go_with_the_old_values_is_refused),
		cmocka_unit_test(turns_are_what_is_set_or_follow_the_processors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
