/* The children of one role: as many as there should be, whatever becomes of them. */
#ifndef MASTER_TEAM_H
#define MASTER_TEAM_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/heritage.h"

struct master;

/*
 * May there be processes of that role? Not once its stage of the stop has begun, nor when there is another berthd that has
 * them: workers whose poolmgr dies go to that one's.
 */
bool team_is_wanted(const struct master *m, enum child_role role);

/* Starts who is missing, and stops one who is too many. Returns whether the role is up. */
bool team_adjust(struct master *m, enum child_role role, int64_t now_us);

#endif
