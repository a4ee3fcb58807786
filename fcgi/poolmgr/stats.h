/* What poolmgr can say about itself, the engine and the pool, as JSON. */
#ifndef POOLMGR_STATS_H
#define POOLMGR_STATS_H

#include "conf/language.h"
#include "engine/docker.h"

void stats_init(struct docker *docker, const struct language *languages);

/* Asks Docker again which images are there. */
void stats_check_images(void);

/* JSON text for the caller to free. */
char *stats_text_new(void);

#endif
