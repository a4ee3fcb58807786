/*
 * The configuration: one INI file, read by inih and checked against the table in conf.def. A struct conf is always complete and
 * valid. The master reads it and hands its text to the children, so that all run with the same settings.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

struct conf {
#define CONF_INT(section, key, def, min, max, unit, when, text) int64_t section##_##key;
#define CONF_STR(section, key, def, when, text)                 char *section##_##key;
#include "conf/conf.def"
#undef CONF_INT
#undef CONF_STR
};

/*
 * Reads the file; path NULL gives the defaults. On failure the message names file, line and setting. The caller owns *conf:
 * conf_free.
 */
int conf_load_file(const char *path, struct conf **conf, struct err *err);
int conf_load_fd(int fd, struct conf **conf, struct err *err); /* reads from offset 0; fd stays open */

/* Destructor for AUTO; accepts NULL. */
void conf_free(struct conf **conf);

/* Writes every setting, with its text, unit, range and default as comments: a valid configuration file. */
void conf_dump(const struct conf *conf, FILE *out);

/* invoke.turns, with 0 replaced by the number that it stands for. */
int conf_turns(const struct conf *conf);

/* pool.memory_budget_mb, likewise. */
int64_t conf_memory_budget_mb(const struct conf *conf);

/* The maximum number of sandboxes, and of their memory, that min_warm of all functions together may keep ready on a node. */
int64_t conf_warm_sandboxes(const struct conf *conf);
int64_t conf_warm_memory_mb(const struct conf *conf);

/*
 * Gives the settings marked RESTART in *next the values they have in *now, since a reload cannot change them, and appends the
 * names of those that differed to ignored: "pool.user, docker.socket". -1 when the other settings in next do not fit the old
 * values.
 */
int conf_keep_restart(const struct conf *now, struct conf *next, struct buf *ignored, struct err *err);

#endif
