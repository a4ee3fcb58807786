/* Control over poolmgr's threads (poolmgr/node/work.h) for tests whose loop is that of the engine rig. */
#ifndef UNIT_POOLMGR_THREADS_H
#define UNIT_POOLMGR_THREADS_H

#include "poolmgr/node/work.h"

/* Stop the threads (all, or those of the kinds from … to) when they have finished their work, and let them continue. */
void threads_stop(void);
void threads_stop_of(enum work_kind from, enum work_kind to);
void threads_go_on(void);

/* Waits until the threads have finished their work and the loop has handled the results. */
void threads_settle(void);

#endif
