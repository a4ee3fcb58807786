/*
 * The successor: a newer berthd that takes over while this one, the predecessor, still runs, so that no request is refused
 * meanwhile. It is started from the path that this program was started from, where a newer program may be, and gets the
 * descriptors of handover.h. This file has both ends of the link between the two:
 *
 *   successor → predecessor  SUCCESSOR_READY  the successor has taken over: the predecessor stops when its requests are done
 *                            SUCCESSOR_HURRY  the successor was told to stop and waits for the predecessor, which has the
 *                                             time limit of any stop
 *   predecessor → successor  no messages; the link closes when the predecessor has ended
 */
#ifndef MASTER_SUCCESSOR_H
#define MASTER_SUCCESSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "master/resources/handover.h"

/* The old berthd's end. */
struct successor {
	pid_t pid;   /* 0: there is no successor, or it has taken over */
	int link_fd; /* -1: none */
	int64_t end_at_us;
	bool ending; /* it was told to end; the next time it is killed */
};
#define SUCCESSOR_NONE ((struct successor){.link_fd = -1})

/* Name of the successor's end of the link in the handover. */
#define SUCCESSOR_LINK "link"

enum successor_word { SUCCESSOR_NOTHING, SUCCESSOR_READY, SUCCESSOR_HURRY, SUCCESSOR_GONE };

/*
 * Executes program, which is searched for in PATH if it has no slash, with "--config=<config>". Failures in the new process are
 * logged there, and it exits with a status other than 0. The handover is emptied.
 */
int successor_start(struct successor *successor, const char *program, const char *config, struct handover *handover,
		    struct err *err);

/* The successor has exceeded its time: sends SIGTERM, and SIGKILL when called again. */
void successor_end(struct successor *successor, int64_t again_at_us);

/* For both ends: receives one message, without waiting. If the other end is closed, *link_fd is closed. */
enum successor_word successor_receive(int *link_fd);

/* For the successor: sends a message. The predecessor may have ended already. */
void successor_send(int link_fd, enum successor_word word);

#endif
