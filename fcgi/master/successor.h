/*
 * The heir: a newer berthd that takes over while this one, the testator, still runs, so that no request is refused meanwhile.
 * It is started from the path that this program was started from, where a newer program may be, and gets the descriptors of
 * bequest.h. This file has both ends of the link between the two:
 *
 *   heir → testator  HEIR_READY  the heir has taken over: the testator stops when its requests are done
 *                    HEIR_HURRY  the heir was told to stop and waits for the testator, which has the time limit of any stop
 *   testator → heir  no messages; the link closes when the testator has ended
 */
#ifndef MASTER_HEIR_H
#define MASTER_HEIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "master/resources/handover.h"

/* The old berthd's end. */
struct heir {
	pid_t pid;   /* 0: there is no heir, or it has taken over */
	int link_fd; /* -1: none */
	int64_t end_at_us;
	bool ending; /* it was told to end; the next time it is killed */
};
#define HEIR_NONE ((struct heir){.link_fd = -1})

/* Name of the heir's end of the link in the bequest. */
#define HEIR_LINK "link"

enum heir_word { HEIR_NOTHING, HEIR_READY, HEIR_HURRY, HEIR_GONE };

/*
 * Executes program, which is searched for in PATH if it has no slash, with "--config=<config>". Failures in the new process are
 * logged there, and it exits with a status other than 0. The bequest is emptied.
 */
int heir_start(struct heir *heir, const char *program, const char *config, struct bequest *bequest, struct err *err);

/* The heir has exceeded its time: sends SIGTERM, and SIGKILL when called again. */
void heir_end(struct heir *heir, int64_t again_at_us);

/* For both ends: receives one message, without waiting. If the other end is closed, *link_fd is closed. */
enum heir_word heir_hear(int *link_fd);

/* For the heir: sends a message. The testator may have ended already. */
void heir_say(int link_fd, enum heir_word word);

#endif
