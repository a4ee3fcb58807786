#include "conf/language.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <utlist.h>

#include "base/mem.h"

static void free_versions(struct language *l)
{
	struct language_version *v, *next;

	LL_FOREACH_SAFE (l->versions, v, next) {
		free(v->name);
		free(v->label);
		free(v->image);
		free(v->end_of_life);
		free(v);
	}
}

static void free_one(struct language **language)
{
	struct language *l = *language;

	if (l == NULL)
		return;
	free_versions(l);
	free(l->name);
	free(l->source_file);
	free(l->default_handler);
	json_decref(l->command);
	mem_free(language);
}

void language_free(struct language **list)
{
	struct language *l, *next;

	LL_FOREACH_SAFE (*list, l, next)
		free_one(&l);
	*list = NULL;
}

/*
 * Whether an argument of the command has a number to be filled in: "--heap={94% of memory_limit_mb}" has 94 percent at "{". -1:
 * there are braces, but not of this form.
 */
static int find_share(const char *argument, const char **at, int *percent)
{
	int end = 0;

	*at = strchr(argument, '{');
	if (*at == NULL)
		return 0;
	return sscanf(*at, "{%3d%% of memory_limit_mb}%n", percent, &end) == 1 && end > 0 && (*at)[end] == '\0' ? 1 : -1;
}

static bool is_command(const json_t *command)
{
	const char *at;
	size_t i;
	int percent;
	json_t *argument;

	json_array_foreach (command, i, argument)
		if (!json_is_string(argument) || find_share(json_string_value(argument), &at, &percent) < 0)
			return false;
	return json_array_size(command) > 0;
}

json_t *language_command_new(const struct language *l, int64_t memory_limit_mb)
{
	json_t *command = json_array(), *argument;
	const char *at;
	size_t i;
	int percent;

	json_array_foreach (l->command, i, argument) {
		const char *text = json_string_value(argument);
		if (find_share(text, &at, &percent) == 0)
			json_array_append(command, argument);
		else
			json_array_append_new(command, json_sprintf("%.*s%lld", (int)(at - text), text,
								    (long long)(memory_limit_mb * percent / 100)));
	}
	return command;
}

/* Whether text is a day as in 2029-10-31, so that days can be compared as texts. */
static bool is_day(const char *text)
{
	static const char form[] = "0000-00-00";

	for (size_t i = 0; i < sizeof(form); i++)
		if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return false;
	return true;
}

static int load_version(json_t *json, struct language *l, struct err *err)
{
	const char *name, *image, *end_of_life;
	json_error_t e;

	if (json_unpack_ex(json, &e, JSON_STRICT, "{s:s, s:s, s:s}", "version", &name, "image", &image, "end_of_life",
			   &end_of_life) < 0)
		return err_set(err, EINVAL, "versions: %s", e.text);
	if (!is_day(end_of_life))
		return err_set(err, EINVAL, "end_of_life of %s is no day such as 2029-10-31", name);

	struct language_version *v = mem_alloc(sizeof(*v));
	v->language = l;
	v->name = mem_strdup(name);
	v->label = mem_printf("%s-%s", l->name, name);
	v->image = mem_strdup(image);
	v->end_of_life = mem_strdup(end_of_life);
	LL_APPEND(l->versions, v);
	return 0;
}

static int load_versions(const json_t *list, const char *default_version, struct language *l, struct err *err)
{
	json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (load_version(one, l, err) < 0)
			return -1;
	l->default_version = language_version_find(l, default_version);
	if (l->default_version == NULL)
		return err_set(err, EINVAL, "default_version '%s' is not one of versions", default_version);
	return 0;
}

static int parse(json_t *json, struct language **language, struct err *err)
{
	AUTO(free_one) struct language *l = NULL;
	const char *name, *source_file, *default_handler, *default_version;
	json_t *command, *versions;
	json_int_t min_memory_mb, own_memory_mb = 0;
	json_error_t e;

	if (json_unpack_ex(json, &e, 0, "{s:s, s:o, s:s, s:s, s:I, s?I, s:s, s:o}", "language", &name, "command", &command,
			   "source_file", &source_file, "default_handler", &default_handler, "min_memory_mb", &min_memory_mb,
			   "own_memory_mb", &own_memory_mb, "default_version", &default_version, "versions", &versions) < 0)
		return err_set(err, EINVAL, "%s", e.text);
	if (!is_command(command))
		return err_set(err, EINVAL,
			       "command is no array of texts in which {N%% of memory_limit_mb} may stand at the end");
	l = mem_alloc(sizeof(*l));
	l->name = mem_strdup(name);
	l->command = json_incref(command);
	l->source_file = mem_strdup(source_file);
	l->default_handler = mem_strdup(default_handler);
	l->min_memory_mb = min_memory_mb;
	l->own_memory_mb = own_memory_mb;
	if (load_versions(versions, default_version, l, err) < 0)
		return -1;
	*language = TAKE_PTR(l);
	return 0;
}

static int load_one(const char *path, struct language **language, struct err *err)
{
	json_error_t e;
	AUTO(json_decrefp) json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
	struct err why = {0};

	if (json == NULL)
		return err_set(err, EINVAL, "%s line %d: %s", path, e.line, e.text);
	if (parse(json, language, &why) < 0)
		return err_set(err, why.code, "%s: %s", path, why.msg);
	return 0;
}

static struct language_version *find_by_label(const struct language *list, const char *label)
{
	const struct language *l;
	struct language_version *v;

	LL_FOREACH (list, l)
		LL_FOREACH (l->versions, v)
			if (strcmp(v->label, label) == 0)
				return v;
	return NULL;
}

/* Parses "python-3.13=image javascript-24=image": the images that an operator has set. */
static int apply_images(const char *setting, const struct language *list, struct err *err)
{
	AUTO(mem_free) char *copy = mem_strdup(setting);
	char *rest = copy, *word;

	while ((word = strsep(&rest, " \t,")) != NULL) {
		if (*word == '\0')
			continue;
		char *equals = strchr(word, '=');
		if (equals == NULL || equals[1] == '\0')
			return err_set(err, EINVAL, "sandbox.images: '%s' is not LANGUAGE-VERSION=image", word);
		*equals = '\0';
		struct language_version *v = find_by_label(list, word);
		if (v == NULL)
			return err_set(err, EINVAL,
				       "sandbox.images: '%s' is no version of a language; one is named as in %s=image", word,
				       list->default_version->label);
		free(v->image);
		v->image = mem_strdup(equals + 1);
		v->image_is_set = true;
	}
	return 0;
}

int language_load_all(const struct conf *conf, struct language **list, struct err *err)
{
	AUTO(mem_free) char *pattern = mem_printf("%s/*/runtime.json", conf->sandbox_runtimes_dir);
	AUTO(language_free) struct language *all = NULL;
	glob_t found;

	int rc = glob(pattern, 0, NULL, &found); /* sorted */
	if (rc != 0)
		return err_set(err, rc == GLOB_NOMATCH ? ENOENT : EIO, "languages: '%s'", pattern);
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++) {
		struct language *l;
		rc = load_one(found.gl_pathv[i], &l, err);
		if (rc == 0)
			LL_APPEND(all, l);
	}
	globfree(&found);
	if (rc < 0 || apply_images(conf->sandbox_images, all, err) < 0)
		return -1;
	*list = TAKE_PTR(all);
	return 0;
}

const char *language_missing_text(const struct language_version *v, char text[static LANGUAGE_TEXT_SIZE])
{
	if (v->image_is_set)
		snprintf(text, LANGUAGE_TEXT_SIZE,
			 "the image of %s, %.160s, is missing on this node: sandbox.images names it; docker pull gets it, or "
			 "stack up builds it where it has a recipe of its own",
			 v->label, v->image);
	else
		snprintf(text, LANGUAGE_TEXT_SIZE,
			 "the image of %s, %.160s, is missing on this node: scripts/images --version %s builds it", v->label,
			 v->image, v->label);
	return text;
}

bool language_version_is_over(const struct language_version *v, int64_t now_us)
{
	time_t now = now_us / 1000000;
	char today[sizeof("2029-10-31")];
	struct tm utc;

	strftime(today, sizeof(today), "%Y-%m-%d", gmtime_r(&now, &utc));
	return strcmp(today, v->end_of_life) > 0;
}

const struct language *language_find(const struct language *list, const char *name)
{
	const struct language *l;

	LL_FOREACH (list, l)
		if (strcmp(l->name, name) == 0)
			return l;
	return NULL;
}

const struct language_version *language_version_find(const struct language *l, const char *name)
{
	const struct language_version *v;

	LL_FOREACH (l->versions, v)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}
