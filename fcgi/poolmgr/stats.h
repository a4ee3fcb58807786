/* poolmgr's numbers about itself, the engine and the pool, as JSON. */
#ifndef POOLMGR_STATS_H
#define POOLMGR_STATS_H

#include <stdbool.h>

#include "conf/conf.h"
#include "engine/docker.h"
#include "ipc/scoreboard.h"

/* All are borrowed for the life of the process. */
void stats_init(const struct conf *conf, struct docker *docker, struct scoreboard *board);

/* Writes the numbers of gauge.def and counter.def to the scoreboard. */
void stats_publish(void);

/* Returns JSON text that fits into a message and that the caller frees; whole: with processes, functions and counters. */
char *stats_text_new(bool whole);

#endif
