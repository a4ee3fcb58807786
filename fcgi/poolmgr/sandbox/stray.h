/* Containers and directories that no struct sandbox stands for, as an earlier poolmgr leaves them, and their removal. */
#ifndef POOLMGR_SANDBOX_STRAY_H
#define POOLMGR_SANDBOX_STRAY_H

#include <stdbool.h>

#include "engine/docker.h"
#include "poolmgr/node/counters.h"

void stray_init(struct docker *docker);

/*
 * Removes both of that id. What another poolmgr that still runs has is left alone. Counted in what when one of them was there
 * indeed.
 */
void stray_remove(const char *id, enum counter what);

int stray_count(void); /* removals under way */

/* Removes the directories that belong to nobody; keep says which ids to leave alone. */
void stray_sweep_directories(bool (*keep)(const char *id));

#endif
