/* The steps from one enum standing (master.h) to the next. A berthd that steps back remains a successor, and ends. */
#ifndef MASTER_STANDING_H
#define MASTER_STANDING_H

#include "base/err.h"

struct master;

/*
 * The successor is ready and takes over: it is in charge, its gate opens, and the previous berthd is told. This order
 * guarantees that when the previous berthd is told, everything that looks for berthd finds this one.
 */
int standing_take_over(struct master *m, struct err *err);

/* The successor will not take over. */
void standing_step_back(struct master *m);

/* The successor has taken over and owns the run directory. */
void standing_retire(struct master *m);

#endif
