/*
 * The heartbeat of a process: the time of its latest beat, in its slot on the scoreboard. A process beats in each round of its
 * loop and while it waits with a deadline. The master recognises a process that is stopped or hangs because its beats cease
 * (master/children/crew.h). Only roles with a single process have a heartbeat; in all other processes these functions do
 * nothing.
 */
#ifndef IPC_HEARTBEAT_H
#define IPC_HEARTBEAT_H

#include <stdint.h>

#include "ipc/scoreboard.h"

#define HEARTBEAT_US 500000 /* the longest time between two beats of a healthy process */

void heartbeat_begin(struct slot *slot); /* begins with a beat */
void heartbeat_now(void);

/*
 * The time until which to wait for something that is due at due_us: the next beat, or due_us itself when that is sooner or the
 * process has no heartbeat.
 */
int64_t heartbeat_due_us(int64_t due_us);

#endif
