/*
 * An upgrade, from the view of the running berthd: it starts a successor (successor.h), and stops after the successor has taken
 * over, when its requests are done. Also the work of the successor when the previous berthd has ended.
 */
#ifndef MASTER_UPGRADE_H
#define MASTER_UPGRADE_H

#include <stdint.h>

struct master;

/* Starts a successor, unless there is one, or this master is not ready or stops. If it fails, this berthd continues and logs
 * the reason. */
void upgrade_start(struct master *m);

/* Handles a message of the successor, if there is one. */
void upgrade_on_word(struct master *m);

/* The successor has died; how: as in struct crew_death. */
void upgrade_on_death(struct master *m, const char *how);

/* Ends a successor that has exceeded its time limit. */
void upgrade_check(struct master *m, int64_t now_us);

/*
 * The previous berthd and its children, which may have run as other users, have ended: the files that they left become ours.
 * That may take a while, so a separate process does it, for whose end nothing waits.
 */
void upgrade_settle(struct master *m);

#endif
