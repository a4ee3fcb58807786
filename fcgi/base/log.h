/*
 * The daemon's log: one logfmt line per event on stderr, in one write(2), at most 2 KiB. Control characters from outside are
 * escaped, so a hostile name cannot forge a line.
 *
 *   ts=2026-01-31T12:00:00.000Z level=info proc=invoke/3 pid=42 req=… sandbox=… msg="…"
 *
 * Process code logs once, where an error stops travelling. Code below base/ conf/ ipc/ db/ does not log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/defs.h"

/*
 * The levels, lowest first: LEVEL(NAME, name). A new level is a row here and a macro like log_debug below.
 *
 * debug: what each request goes through. info: what happens when all is well, such as starts, reloads and deployments, and
 * that a trouble is over. warn: something is not as it should be, and berthd goes on without it or tries again. error:
 * something failed or was lost.
 */
#define LOG_LEVELS(LEVEL)                                                                                                      \
	LEVEL(DEBUG, "debug")                                                                                                  \
	LEVEL(INFO, "info")                                                                                                    \
	LEVEL(WARN, "warn")                                                                                                    \
	LEVEL(ERROR, "error")

#define LOG_LEVEL_NUMBER(NAME, name) LOG_##NAME,
#define LOG_LEVEL_WORD(NAME, name)   " " name
enum log_level { LOG_LEVELS(LOG_LEVEL_NUMBER) LOG_LEVEL_COUNT };
#define LOG_LEVEL_WORDS LOG_LEVELS(LOG_LEVEL_WORD) /* all names, lowest first, each after a space: " debug info …" */

/* The level of that name, or -1. */
int log_level_parse(const char *name);

/* process: the name of this process in the log, e.g. "poolmgr" or "invoke/3". Copied. */
void log_init(const char *process, enum log_level least);

/* Whether lines of that level are written, for callers whose lines are expensive to put together. */
bool log_is_on(enum log_level level);

/* Sets the context that every following line contains; NULL or "" clears it. Copied, and truncated to a sane length. */
void log_set_request(const char *request_id);

void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
void log_sandbox(enum log_level level, const char *sandbox_id, const char *fmt, ...) PRINTF_LIKE(3, 4);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#endif
