/* The children of one role: keeps their number right, whatever happens to them. */
#ifndef MASTER_TEAM_H
#define MASTER_TEAM_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/inherited.h"

struct master;

/*
 * Whether there may be processes of that role. There may not be after its stage of the stop has begun, nor if this berthd stops
 * and another one is in charge: workers whose poolmgr dies then use the other one's.
 */
bool team_is_wanted(const struct master *m, enum child_role role);

/* Starts missing processes, and stops a superfluous one. Returns whether the role is up. */
bool team_adjust(struct master *m, enum child_role role, int64_t now_us);

#endif
