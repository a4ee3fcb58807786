/* The first process: see master_main.c. */
#ifndef MASTER_MASTER_MAIN_H
#define MASTER_MASTER_MAIN_H

#include "master/settings.h"

/* Runs until a signal ends it. settings are read already, and borrowed. The process's exit status: 0, or 1 after a failed
 * start. */
int master_main(struct settings *settings);

#endif
