/*
 * The agent's side of a sandbox, as a script in a child process: it gets a control and a log socket (of stdout; the one of
 * stderr is fake_agent_error_log), the test keeps the other ends. A script that meets what it does not expect exits with 1 and
 * says why on stderr.
 */
#ifndef SUPPORT_FAKE_AGENT_H
#define SUPPORT_FAKE_AGENT_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "ipc/frame.h"

struct fake_agent {
	pid_t pid;
	int control_fd, log_fd, error_log_fd; /* the host's ends */
};

extern int fake_agent_error_log; /* for scripts */

void fake_agent_start(struct fake_agent *agent, void (*script)(int control, int log));

/* Closes the host's ends, waits for the script to end and returns its exit status; 128 + the signal that ended it. */
int fake_agent_stop(struct fake_agent *agent);

/* For scripts. */
void fake_agent_expect(int control, enum frame_type type, struct buf *payload);
void fake_agent_send(int control, enum frame_type type, const char *payload);
void fake_agent_result(int control, const char *invocation_id, const char *output);
void fake_agent_answer(int control, const struct buf *invoke, const char *output); /* RESULT of what INVOKE asked for */
void fake_agent_wait_for_close(int control);                                       /* until the host hangs up */

#endif
