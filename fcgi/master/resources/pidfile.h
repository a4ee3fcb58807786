/*
 * <run_dir>/berthd.pid, which ensures that there is one berthd per run directory. The lock on it decides; the number in it is
 * for people and scripts. The kernel releases the lock when the process ends, for whatever reason.
 */
#ifndef MASTER_RESOURCES_PIDFILE_H
#define MASTER_RESOURCES_PIDFILE_H

#include <sys/types.h>

#include "base/err.h"

#define PIDFILE_NAME "berthd.pid"

/* Returns a descriptor that holds the lock while it is open. When another berthd has it, the message says which. */
int pidfile_lock(int run_dir_fd, struct err *err);

/* For a process that has inherited the descriptor with the lock: checks that it belongs to this directory. */
int pidfile_check_inherited(int run_dir_fd, int fd, struct err *err);

/* Writes this process into the file it has locked. */
int pidfile_write(int fd, struct err *err);

/* Removes the file, then gives up the lock. */
void pidfile_remove(int run_dir_fd, int *fd);

/* The process that holds the lock; 0: none. Takes the lock for a moment if no process has it. */
pid_t pidfile_owner(const char *run_dir);

#endif
