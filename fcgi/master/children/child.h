/*
 * Starts one child: forks, sets up what inherited.h promises, gives up every privilege, and executes the program. Because of
 * the exec, a damaged process leaves nothing to its successor, and each process has its own name in ps(1).
 */
#ifndef MASTER_CHILDREN_CHILD_H
#define MASTER_CHILDREN_CHILD_H

#include <sys/types.h>

#include "base/err.h"
#include "master/children/role.h"
#include "master/resources/identity.h"

struct child_plan {
	enum child_role role;
	int slot;
	int program_fd; /* above INHERITED_FD_LAST; a descriptor, because the new user may not be able to reach the path */
	int fds[INHERITED_FD_LAST + 1];  /* the descriptor for each number from INHERITED_CONF_FD on; -1: none. Borrowed */
	const struct identity *identity; /* borrowed */
};

/* Returns the id of the new process, or -1. Failures in the new process are logged there, and it exits with status 1. */
pid_t child_spawn(const struct child_plan *plan, struct err *err);

#endif
