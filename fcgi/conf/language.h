/*
 * The languages: one folder each below sandbox.runtimes_dir, described by its runtime.json. Read once at the start of a
 * process.
 */
#ifndef CONF_LANGUAGE_H
#define CONF_LANGUAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"

struct language {
	char *name;            /* "python" */
	char *image;           /* from sandbox.images when set there, else from runtime.json */
	bool image_is_set;     /* it is from sandbox.images */
	json_t *command;       /* array of strings: what the launcher execs */
	char *source_file;     /* what inline code is stored as: "main.py" */
	char *default_handler; /* "main.handler" */
	int64_t min_memory_mb;
	struct language *next; /* sorted by name */
};

/* The caller owns the list: language_free. Fails when a runtime.json is broken, or sandbox.images names no language there is.
 */
int language_load_all(const struct conf *conf, struct language **list, struct err *err);
void language_free(struct language **list); /* destructor for AUTO */

/* That its image is missing, and what to do about it, in text, which is returned. */
enum { LANGUAGE_TEXT_SIZE = 320 };
const char *language_missing_text(const struct language *language, char text[static LANGUAGE_TEXT_SIZE]);

/* NULL when there is none of that name. */
const struct language *language_find(const struct language *list, const char *name);

#endif
