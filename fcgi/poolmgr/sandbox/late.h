/*
 * What a sandbox prints after its latest invocation, while no worker has it: read when the sandbox is frozen (if it has no
 * secrets) and when it ends, and recorded as an addition to the log of that invocation (poolmgr/sandbox/bill.h). Otherwise the
 * worker of the next invocation reads it. What has no room in the log is left where it is, so a function that prints for ever
 * waits for itself.
 */
#ifndef POOLMGR_SANDBOX_LATE_H
#define POOLMGR_SANDBOX_LATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"

struct version;

/* The invocation that a sandbox ran last. Zero-initialise it. */
struct late {
	struct uuid id; /* all zeros: there was none */
	uint64_t at_us; /* when it was requested; wall clock */
	uint32_t room;  /* how many bytes may still be added to its log */
};

bool late_has_run(const struct late *late);

/* log_fd, error_log_fd: the sandbox's log sockets, borrowed. Never waits. */
void late_read(struct late *late, const struct version *version, int log_fd, int error_log_fd);

#endif
