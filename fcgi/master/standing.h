/* The steps from one enum standing (master.h) to the next. A berthd that steps back remains an heir, and ends. */
#ifndef MASTER_STANDING_H
#define MASTER_STANDING_H

#include "base/err.h"

struct master;

/*
 * An heir is ready: it is in charge, its gate opens, and the one before is told. In this order: when the one before is told,
 * all who look for berthd find this one.
 */
int standing_take_over(struct master *m, struct err *err);

/* An heir that will not take over. */
void standing_step_back(struct master *m);

/* The heir has taken over: what is in the run directory is its. */
void standing_retire(struct master *m);

#endif
