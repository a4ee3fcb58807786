/* How a child begins, whichever program it is: as the master left things for it (ipc/heritage.h). */
#ifndef ENTRY_ENTRY_H
#define ENTRY_ENTRY_H

#include <stdbool.h>

#include "ipc/heritage.h"

typedef int (*entry_main_fn)(const struct heritage *heritage);

/* Is this how the master calls a child? */
bool entry_is_child(int argc, char **argv);

/* Becomes the child. mains: by role, NULL where this program has none. Returns the exit status: 2 when nobody but the master
 * could have called it so. */
int entry_child(int argc, char **argv, const entry_main_fn mains[CHILD_ROLE_COUNT]);

#endif
