/*
 * Starting one child: fork, arrange what heritage.h promises, give up every privilege, and exec its program.
 * A crash can then not be carried from one process to its successor, and each has its own name in ps(1).
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
	int program_fd;                  /* above HERITAGE_FD_LAST; its path may be out of reach for the new user */
	int fds[HERITAGE_FD_LAST + 1];   /* from HERITAGE_CONF_FD on, what it finds at each number; -1: nothing. Borrowed */
	const struct identity *identity; /* borrowed */
};

/* The new process's id, or -1. What fails in the new process is logged there, and it exits with status 1. */
pid_t child_spawn(const struct child_plan *plan, struct err *err);

#endif
