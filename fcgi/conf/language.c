#include "conf/language.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/mem.h"

static void free_one(struct language **language)
{
	struct language *l = *language;

	if (l == NULL)
		return;
	free(l->name);
	free(l->image);
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

static int load_one(const char *path, struct language **language, struct err *err)
{
	json_error_t e;
	json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, &e);
	const char *name, *image, *source_file, *default_handler;
	json_t *command;
	json_int_t min_memory_mb, own_memory_mb = 0;

	if (json == NULL)
		return err_set(err, EINVAL, "%s line %d: %s", path, e.line, e.text);
	int rc = json_unpack_ex(json, &e, 0, "{s:s, s:s, s:o, s:s, s:s, s:I, s?I}", "language", &name, "image", &image,
				"command", &command, "source_file", &source_file, "default_handler", &default_handler,
				"min_memory_mb", &min_memory_mb, "own_memory_mb", &own_memory_mb);
	if (rc < 0 || !is_command(command)) {
		AUTO(json_decrefp) json_t *bad = json;
		return err_set(err, EINVAL, "%s: %s", path,
			       rc < 0 ? e.text
				      : "command is no array of texts in which {N% of memory_limit_mb} may stand at the end");
	}

	struct language *l = mem_alloc(sizeof(*l));
	l->name = mem_strdup(name);
	l->image = mem_strdup(image);
	l->command = json_incref(command);
	l->source_file = mem_strdup(source_file);
	l->default_handler = mem_strdup(default_handler);
	l->min_memory_mb = min_memory_mb;
	l->own_memory_mb = own_memory_mb;
	json_decref(json);
	*language = l;
	return 0;
}

/* Parses "python=image javascript=image": the images that an operator has set. */
static int apply_images(const char *setting, struct language *list, struct err *err)
{
	AUTO(mem_free) char *copy = mem_strdup(setting);
	char *rest = copy, *word;

	while ((word = strsep(&rest, " \t,")) != NULL) {
		if (*word == '\0')
			continue;
		char *equals = strchr(word, '=');
		if (equals == NULL || equals[1] == '\0')
			return err_set(err, EINVAL, "sandbox.images: '%s' is not language=image", word);
		*equals = '\0';
		struct language *l = (struct language *)language_find(list, word);
		if (l == NULL)
			return err_set(err, EINVAL, "sandbox.images: there is no language '%s'", word);
		free(l->image);
		l->image = mem_strdup(equals + 1);
		l->image_is_set = true;
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

const char *language_missing_text(const struct language *l, char text[static LANGUAGE_TEXT_SIZE])
{
	if (l->image_is_set)
		snprintf(text, LANGUAGE_TEXT_SIZE,
			 "the image of %s, %.160s, is missing on this node: sandbox.images names it; docker pull gets it, or "
			 "stack up "
			 "builds it where it has a recipe of its own",
			 l->name, l->image);
	else
		snprintf(text, LANGUAGE_TEXT_SIZE,
			 "the image of %s, %.160s, is missing on this node: scripts/images --language %s builds it", l->name,
			 l->image, l->name);
	return text;
}

const struct language *language_find(const struct language *list, const char *name)
{
	const struct language *l;

	LL_FOREACH (list, l)
		if (strcmp(l->name, name) == 0)
			return l;
	return NULL;
}
