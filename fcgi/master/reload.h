/* A reload: the configuration is read again, and children that cannot read it themselves are replaced, one pool after the
 * other. */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include <stdbool.h>

#include "ipc/heritage.h"

struct master;

/* Not while the master stops. A configuration that is refused changes nothing. */
void reload_run(struct master *m);

/*
 * Moves the replacement of a role on by a step; returns whether it still runs. up: as many of the newest generation as there
 * should be are at work; others_run: another role is being replaced.
 */
bool reload_replace(struct master *m, enum child_role role, bool up, bool others_run);

#endif
