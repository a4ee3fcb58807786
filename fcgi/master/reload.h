/*
 * A reload: the configuration is read again, and children that cannot read it themselves are replaced, one pool after the
 * other.
 */
#ifndef MASTER_RELOAD_H
#define MASTER_RELOAD_H

#include <stdbool.h>

#include "ipc/inherited.h"

struct master;

/* Starts a reload, unless the master stops. An invalid configuration changes nothing. */
void reload_run(struct master *m);

/*
 * Does the next step of the replacement of a role, and returns whether it still runs. up: the newest generation has as many
 * processes at work as it should; others_run: another role is being replaced.
 */
bool reload_replace(struct master *m, enum child_role role, bool up, bool others_run);

#endif
