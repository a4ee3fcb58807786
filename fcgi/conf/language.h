/*
 * The languages: one folder each below sandbox.runtimes_dir, described by its runtime.json, with the versions of each. Read
 * once at the start of a process.
 */
#ifndef CONF_LANGUAGE_H
#define CONF_LANGUAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"

struct language {
	char *name;      /* "python" */
	json_t *command; /* array of strings: the command that the launcher executes, with any version: see language_command_new
			  */
	char *source_file;     /* "main.py"; inline code is a file with this ending, named by its handler */
	char *default_handler; /* "main.handler" */
	int64_t min_memory_mb;
	int64_t own_memory_mb;             /* what the interpreter needs itself, beside the limit of its function */
	struct language_version *versions; /* at least one, in the order of runtime.json */
	const struct language_version *default_version;
	struct language *next; /* sorted by name */
};

/* A version of a language: an image with its interpreter. */
struct language_version {
	const struct language *language;
	char *name;        /* "3.13" */
	char *label;       /* "python-3.13": what it is called in commands, settings and logs */
	char *image;       /* from sandbox.images if set there, otherwise from runtime.json */
	bool image_is_set; /* image comes from sandbox.images */
	char *end_of_life; /* "2029-10-31": the last day on which its makers repair it */
	struct language_version *next;
};

/*
 * The caller owns the list: language_free. Fails when a runtime.json is invalid or sandbox.images names a version that does not
 * exist.
 */
int language_load_all(const struct conf *conf, struct language **list, struct err *err);
void language_free(struct language **list); /* destructor for AUTO */

/*
 * The command for a sandbox whose function may have that much memory: "{94% of memory_limit_mb}" in an argument is replaced by
 * the number. The caller owns it.
 */
json_t *language_command_new(const struct language *language, int64_t memory_limit_mb);

/* NULL when there is no language, or no version of it, of that name. */
const struct language *language_find(const struct language *list, const char *name);
const struct language_version *language_version_find(const struct language *language, const char *name);

/* Whether its end of life has passed. */
bool language_version_is_over(const struct language_version *version, int64_t now_us);

/* Writes to text that the version's image is missing, and what to do about it. Returns text. */
enum { LANGUAGE_TEXT_SIZE = 320 };
const char *language_missing_text(const struct language_version *version, char text[static LANGUAGE_TEXT_SIZE]);

#endif
