/*
 * The table of the descriptors that the master holds from its start to its end, one of each kind, with the children that
 * inherit them and at which numbers. Kinds of which there are several (listening sockets, programs) are not in it.
 */
#ifndef MASTER_RESOURCES_DESCRIPTOR_H
#define MASTER_RESOURCES_DESCRIPTOR_H

#include "ipc/inherited.h"

enum descriptor {
	FD_SCOREBOARD,
	FD_LIFE,      /* the end of the life pipe that all children watch */
	FD_LIFE_HELD, /* the other end, which only the master has, so that it closes when the master ends */
	FD_TURN,
	FD_GATE,
	FD_POOLMGR, /* poolmgr's end of its link to the warden */
	FD_WARDEN,  /* the warden's end */
	FD_SIGNALS,
	FD_RUN_DIR,
	FD_STATE_DIR,
	FD_PID,         /* holds the lock on the pid file */
	FD_PREDECESSOR, /* link to the previous berthd; -1: there is none, or it has ended */
	DESCRIPTOR_COUNT
};

/* Sets the numbers of the descriptors that a child of that role gets; other numbers are unchanged. The master keeps owning
 * them. */
void descriptor_give(const int fds[DESCRIPTOR_COUNT], enum child_role role, int numbers[INHERITED_FD_LAST + 1]);

/* Closes all open descriptors. */
void descriptor_close(int fds[DESCRIPTOR_COUNT]);

#endif
