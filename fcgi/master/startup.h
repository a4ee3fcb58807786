/* The start of the master, step by step. */
#ifndef MASTER_STARTUP_H
#define MASTER_STARTUP_H

#include "base/err.h"

struct master;

/* Opens everything that the master holds. After a failed step, as after success, master_free closes it. */
int startup_run(struct master *m, struct err *err);

#endif
