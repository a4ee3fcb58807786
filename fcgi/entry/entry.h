/* The start of a child, in either program: takes what it inherits from the master (ipc/inherited.h). */
#ifndef ENTRY_ENTRY_H
#define ENTRY_ENTRY_H

#include <stdbool.h>

#include "ipc/inherited.h"

typedef int (*entry_main_fn)(const struct inherited *inherited);

/* Whether the command line is that of a child. */
bool entry_is_child(int argc, char **argv);

/*
 * Runs the child. mains: main functions by role, NULL for roles of another program. Returns the exit status; 2 when the command
 * line or the inherited descriptors are not those of the master.
 */
int entry_child(int argc, char **argv, const entry_main_fn mains[CHILD_ROLE_COUNT]);

#endif
