#include "conf/language.h"

#include <sys/stat.h>

#include "base/mem.h"
#include "tests/unit/unit.h"

#define REST                                                                                                                   \
	"\"command\":[\"x\",\"agent\"],\"source_file\":\"main.x\",\"default_handler\":\"main.handler\",\"min_memory_mb\":64"
#define PYTHON                                                                                                                 \
	"{\"language\":\"python\"," REST ",\"default_version\":\"3.13\",\"versions\":["                                        \
	"{\"version\":\"3.11\",\"image\":\"berth-python:3.11\",\"end_of_life\":\"2027-10-31\"},"                               \
	"{\"version\":\"3.13\",\"image\":\"berth-python:3.13\",\"end_of_life\":\"2029-10-31\"}]}"
#define ONE_VERSION                                                                                                            \
	"\"default_version\":\"3\",\"versions\":[{\"version\":\"3\",\"image\":\"i\",\"end_of_life\":\"2030-12-31\"}]"
#define RUBY                                                                                                                   \
	"{\"language\":\"ruby\"," REST ",\"default_version\":\"3\",\"versions\":["                                             \
	"{\"version\":\"3\",\"image\":\"berth-ruby\",\"end_of_life\":\"2030-12-31\"}]}"

/* A runtimes directory with these languages (NULL: none), read with these images. */
static int load(const char *python, const char *ruby, const char *images, struct language **list, struct err *err)
{
	AUTO(unit_remove_dir) char *dir = unit_make_dir();
	const char *const texts[] = {ruby, python}, *const names[] = {"ruby", "python"};
	AUTO(mem_free) char *text = mem_printf("[sandbox]\nruntimes_dir = %s\nimages = %s\n", dir, images);
	AUTO(mem_free) char *conf_path = mem_printf("%s/berth.conf", dir);
	AUTO(conf_free) struct conf *conf = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO(mem_free) char *sub = mem_printf("%s/%s", dir, names[i]);
		AUTO(mem_free) char *file = mem_printf("%s/runtime.json", sub);
		if (texts[i] == NULL)
			continue;
		assert_int_equal(mkdir(sub, 0700), 0);
		unit_write_file(file, texts[i]);
	}
	unit_write_file(conf_path, text);
	if (conf_load_file(conf_path, &conf, err) < 0)
		return -1;
	return language_load_all(conf, list, err);
}

static void every_folder_is_a_language_sorted_by_name(void **state)
{
	AUTO(language_free) struct language *list = NULL;
	struct err err;

	(void)state;
	assert_ok(load(PYTHON, RUBY, "", &list, &err));
	assert_string_equal(list->name, "python");
	assert_string_equal(list->source_file, "main.x");
	assert_string_equal(list->default_handler, "main.handler");
	assert_int_equal(list->min_memory_mb, 64);
	assert_int_equal(json_array_size(list->command), 2);
	assert_string_equal(list->next->name, "ruby");
	assert_null(list->next->next);
}

static void a_language_and_a_version_are_found_by_their_whole_names(void **state)
{
	AUTO(language_free) struct language *list = NULL;
	struct err err;

	(void)state;
	assert_ok(load(PYTHON, RUBY, "", &list, &err));
	assert_string_equal(language_find(list, "ruby")->name, "ruby");
	assert_string_equal(language_version_find(list, "3.11")->label, "python-3.11");
	assert_null(language_version_find(list, "3.1"));
	assert_null(language_version_find(list, ""));
	assert_null(language_find(list, "rub"));
	assert_null(language_find(list, ""));
	assert_null(language_find(NULL, "ruby"));
}

static void an_operator_can_name_other_images(void **state)
{
	AUTO(language_free) struct language *list = NULL;
	struct err err;

	(void)state;
	assert_ok(load(PYTHON, RUBY, "ruby-3=reg.example:5000/ruby:3,  python-3.13=mine", &list, &err));
	assert_string_equal(list->versions->image, "berth-python:3.11");
	assert_string_equal(list->versions->next->image, "mine");
	assert_string_equal(list->next->versions->image, "reg.example:5000/ruby:3");
}

static void who_misses_an_image_is_told_what_to_do(void **state)
{
	AUTO(language_free) struct language *list = NULL;
	char text[LANGUAGE_TEXT_SIZE];
	struct err err;

	(void)state;
	assert_ok(load(PYTHON, RUBY, "ruby-3=reg.example:5000/ruby:3", &list, &err));
	language_missing_text(list->versions, text);
	assert_non_null(strstr(text, "the image of python-3.11, "));
	assert_non_null(strstr(text, "scripts/images --version python-3.11 "));
	language_missing_text(list->next->versions, text);
	assert_non_null(strstr(text, "the image of ruby-3, reg.example:5000/ruby:3, "));
	assert_non_null(strstr(text, "sandbox.images"));
	assert_null(strstr(text, "scripts/images"));
}

static void wrong_images_are_refused(void **state)
{
	struct language *list = NULL;
	struct err err;

	(void)state;
	assert_fails(load(PYTHON, NULL, "perl-5=x", &list, &err), "'perl-5' is no version");
	assert_fails(load(PYTHON, NULL, "python=x", &list, &err), "as in python-3.13=image");
	assert_fails(load(PYTHON, NULL, "python-3.13", &list, &err), "'python-3.13' is not LANGUAGE-VERSION=image");
	assert_fails(load(PYTHON, NULL, "python-3.13=", &list, &err), "is not LANGUAGE-VERSION=image");
	assert_null(list);
}

#define ENDING(day)       "{\"version\":\"3\",\"image\":\"i\",\"end_of_life\":\"" day "\"}"
#define PYTHON_WITH(rest) "{\"language\":\"python\"," REST "," rest "}"

static void a_broken_description_is_refused_and_named(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{\"language\":\"python\"}",
		"{\"language\":\"python\",\"language\":\"python\"}",
		"{\"language\":\"python\",\"command\":\"python3\",\"source_file\":\"main.py\",\"default_handler\":\"main."
		"handler\","
		"\"min_memory_mb\":64,\"default_version\":\"3\",\"versions\":[" ENDING("2030-12-31") "]}",
		PYTHON_WITH(""),
		PYTHON_WITH("\"default_version\":\"4\",\"versions\":[" ENDING("2030-12-31") "]"),
		PYTHON_WITH("\"default_version\":\"3\",\"versions\":[]"),
		PYTHON_WITH("\"default_version\":\"3\",\"versions\":[" ENDING("2030") "]"),
		PYTHON_WITH("\"default_version\":\"3\",\"versions\":[" ENDING("2030-12-31T") "]"),
		PYTHON_WITH("\"default_version\":\"3\",\"versions\":[{\"version\":\"3\",\"image\":\"i\"}]"),
	};
	struct language *list = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_fails(load(bad[i], RUBY, "", &list, &err), "/python/runtime.json");
	assert_null(list);
}

static void a_version_is_over_from_the_day_after_its_end_of_life(void **state)
{
	AUTO(language_free) struct language *list = NULL;
	const int64_t next_day_us = INT64_C(1825027200) * 1000000; /* 2027-11-01 00:00 UTC */
	struct err err;

	(void)state;
	assert_ok(load(PYTHON, NULL, "", &list, &err));
	assert_string_equal(list->default_version->name, "3.13");
	assert_false(language_version_is_over(list->versions, next_day_us - 1));
	assert_true(language_version_is_over(list->versions, next_day_us));
	assert_false(language_version_is_over(list->default_version, next_day_us));
}

static void no_language_at_all_is_an_error(void **state)
{
	struct language *list = NULL;
	struct err err;

	(void)state;
	assert_fails(load(NULL, NULL, "", &list, &err), "/*/runtime.json");
}

static void a_command_may_have_a_share_of_the_memory_in_it(void **state)
{
	AUTO(language_free) struct language *list = NULL;
	struct err err;

	(void)state;
	assert_ok(load("{\"language\":\"python\",\"command\":[\"x\",\"--heap={90% of "
		       "memory_limit_mb}\",\"{125% of memory_limit_mb}\",\"y\"],\"source_file\":\"main.py\","
		       "\"default_handler\":\"main.handler\",\"min_memory_mb\":64,\"own_memory_mb\":16," ONE_VERSION "}",
		       RUBY, "", &list, &err));
	AUTO(json_decrefp) json_t *command = language_command_new(list, 130);
	AUTO(json_decrefp) json_t *wanted = json_pack("[s, s, s, s]", "x", "--heap=117", "162", "y");
	AUTO(json_decrefp) json_t *plain = language_command_new(list->next, 130);
	assert_true(json_equal(command, wanted));
	assert_true(json_equal(plain, list->next->command));
	assert_int_equal(list->own_memory_mb, 16);
	assert_int_equal(list->next->own_memory_mb, 0);
}

static void a_command_with_anything_else_in_braces_is_refused(void **state)
{
	static const char *const arguments[] = {"{",
						"{90%}",
						"{90% of memory_limit_mb",
						"{90% of memory_limit_mb}m",
						"{% of memory_limit_mb}",
						"{90% of cpus}",
						"{9000% of memory_limit_mb}"};
	struct language *list = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(arguments); i++) {
		AUTO(mem_free)
		char *text = mem_printf("{\"language\":\"python\",\"command\":[\"x\",\"%s\"],"
					"\"source_file\":\"main.py\",\"default_handler\":\"main.handler\","
					"\"min_memory_mb\":64," ONE_VERSION "}",
					arguments[i]);
		assert_fails(load(text, RUBY, "", &list, &err), "/python/runtime.json: command");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_folder_is_a_language_sorted_by_name),
		cmocka_unit_test(a_language_and_a_version_are_found_by_their_whole_names),
		cmocka_unit_test(an_operator_can_name_other_images),
		cmocka_unit_test(who_misses_an_image_is_told_what_to_do),
		cmocka_unit_test(wrong_images_are_refused),
		cmocka_unit_test(a_broken_description_is_refused_and_named),
		cmocka_unit_test(a_version_is_over_from_the_day_after_its_end_of_life),
		cmocka_unit_test(no_language_at_all_is_an_error),
		cmocka_unit_test(a_command_may_have_a_share_of_the_memory_in_it),
		cmocka_unit_test(a_command_with_anything_else_in_braces_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
