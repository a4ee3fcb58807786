/* Removes containers and directories without a struct sandbox, which an earlier poolmgr may leave behind. */
#ifndef POOLMGR_SANDBOX_STRAY_H
#define POOLMGR_SANDBOX_STRAY_H

#include <stdbool.h>

#include "engine/docker.h"
#include "poolmgr/node/counters.h"

void stray_init(struct docker *docker);

/*
 * Removes the container and the directory with that id, unless another running poolmgr has them. Counted in what if one of them
 * existed.
 */
void stray_remove(const char *id, enum counter what);

int stray_count(void); /* removals under way */

/* Removes the directories that belong to no poolmgr; keep says which ids to leave alone. */
void stray_sweep_directories(bool (*keep)(const char *id));

#endif
