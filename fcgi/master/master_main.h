/* The first process: see master_main.c. */
#ifndef MASTER_MASTER_MAIN_H
#define MASTER_MASTER_MAIN_H

#include "master/settings.h"

struct master_start {
	const char *program;   /* as it was called: what an upgrade executes */
	const char *inherited; /* what the berthd before hands over (bequest.h); NULL: there is none */
};

/* Runs until a signal ends it. settings are read already, and borrowed, as is start. The process's exit status: 0, or 1 after a
 * failed start. */
int master_main(struct settings *settings, const struct master_start *start);

#endif
