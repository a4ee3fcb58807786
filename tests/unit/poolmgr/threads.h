/* poolmgr's threads (poolmgr/node/work.h) in the hands of a test, which has the loop in rig.h. */
#ifndef UNIT_POOLMGR_THREADS_H
#define UNIT_POOLMGR_THREADS_H

#include "poolmgr/node/work.h"

/* Keeps them busy, all or those of the kinds from … to, once what they had to do is done; they go on when they are stopped. */
void threads_stop(void);
void threads_stop_of(enum work_kind from, enum work_kind to);
void threads_go_on(void);

/* Waits until all that they had to do is done, and what follows from it on the loop. */
void threads_settle(void);

#endif
