/* The start of the master, step by step. */
#ifndef MASTER_STARTUP_H
#define MASTER_STARTUP_H

#include "base/err.h"

struct master;

/* Opens all that the master holds. What a step that failed has left is for master_free, as after a success. */
int startup_run(struct master *m, struct err *err);

#endif
