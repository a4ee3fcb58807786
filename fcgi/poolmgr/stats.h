/* What poolmgr can say about itself, the engine and the pool, as JSON. */
#ifndef POOLMGR_STATS_H
#define POOLMGR_STATS_H

#include <stdbool.h>

#include "conf/conf.h"
#include "engine/docker.h"
#include "ipc/scoreboard.h"

/* All are borrowed for the life of the process. */
void stats_init(const struct conf *conf, struct docker *docker, struct scoreboard *board);

/* Puts the numbers of gauge.def and counter.def on the scoreboard. */
void stats_publish(void);

/* JSON text for the caller to free, which fits into a message; whole: with processes, functions and counters. */
char *stats_text_new(bool whole);

#endif
