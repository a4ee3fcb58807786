/*
 * An upgrade, as the berthd that runs sees it: it starts an heir (heir.h), and when that one has taken over it stops, in its
 * own time. And what the heir does when the one before is gone.
 */
#ifndef MASTER_UPGRADE_H
#define MASTER_UPGRADE_H

#include <stdint.h>

struct master;

/* Only one at a time, and not by a master that is not ready, or stops. When it fails this one goes on, and says so. */
void upgrade_start(struct master *m);

/* Takes what the heir says, if it has said something. */
void upgrade_on_word(struct master *m);

/* The heir has died; how: as crew_death has it. */
void upgrade_on_death(struct master *m, const char *how);

/* Ends an heir whose time is over. */
void upgrade_check(struct master *m, int64_t now_us);

/*
 * The berthd before is gone, and all its children, which may have been other users: what they have left becomes ours. Removing
 * what they had may take a while: in a process of its own, whose end nobody waits for.
 */
void upgrade_settle(struct master *m);

#endif
