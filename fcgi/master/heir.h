/*
 * The heir: a newer berthd that takes over while this one still runs, so that no request is refused meanwhile. It is started
 * from the path this program was started from, where a newer one may lie, and gets what bequest.h lists. Both ends of the link
 * between the two are here:
 *
 *   heir → testator  HEIR_READY  it has taken over: stop, in your own time
 *                    HEIR_HURRY  it was told to stop, and waits for you: your time is what it is at any stop
 *   testator → heir  nothing; the link closes when it is gone
 */
#ifndef MASTER_HEIR_H
#define MASTER_HEIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "master/resources/bequest.h"

/* The testator's end. */
struct heir {
	pid_t pid;   /* 0: there is none, or it has taken over */
	int link_fd; /* -1: none */
	int64_t end_at_us;
	bool ending; /* was asked to, and is killed next time */
};
#define HEIR_NONE ((struct heir){.link_fd = -1})

/* In the bequest: the heir's end of the link. */
#define HEIR_LINK "link"

enum heir_word { HEIR_NOTHING, HEIR_READY, HEIR_HURRY, HEIR_GONE };

/*
 * Executes program, which is looked for in PATH when it has no slash, with "--config=<config>". What goes wrong in
 * the new process is logged there, and it exits with a status that is not 0. The bequest is emptied.
 */
int heir_start(struct heir *heir, const char *program, const char *config, struct bequest *bequest, struct err *err);

/* Its time is over: SIGTERM, and SIGKILL when it is called again. */
void heir_end(struct heir *heir, int64_t again_at_us);

/* Either end: takes one word, without waiting. When the other end is gone, *link_fd is closed. */
enum heir_word heir_hear(int *link_fd);

/* The heir's end. It does not matter when nobody is there any more. */
void heir_say(int link_fd, enum heir_word word);

#endif
