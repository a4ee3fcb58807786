/*
 * The descriptors that the master holds from its start to its end, one of each kind, and which children find them where: one
 * table. Kinds of which there are several (listening sockets, programs) are not in it.
 */
#ifndef MASTER_RESOURCES_DESCRIPTOR_H
#define MASTER_RESOURCES_DESCRIPTOR_H

#include "ipc/heritage.h"

enum descriptor {
	FD_SCOREBOARD,
	FD_LIFE,      /* of the life pipe, the end that all children wait at */
	FD_LIFE_HELD, /* the end that nobody else has, and that is gone with the master */
	FD_TURN,
	FD_GATE,
	FD_POOLMGR, /* poolmgr's end of its link to the warden */
	FD_WARDEN,  /* the warden's end */
	FD_SIGNALS,
	FD_RUN_DIR,
	FD_STATE_DIR,
	FD_PID,      /* holds the lock on the pid file */
	FD_TESTATOR, /* link to the berthd before; -1: there is none, or it is gone */
	DESCRIPTOR_COUNT
};

/* Puts what a child of that role gets of them at its numbers; the others stay as they are. All stay the master's. */
void descriptor_give(const int fds[DESCRIPTOR_COUNT], enum child_role role, int numbers[HERITAGE_FD_LAST + 1]);

/* Closes all that are open. */
void descriptor_close(int fds[DESCRIPTOR_COUNT]);

#endif
