/*
 * Directory trees, addressed relative to open descriptors so that no symbolic link can lead elsewhere. Blocking: for worker
 * threads.
 */
#ifndef POOLMGR_NODE_TREE_H
#define POOLMGR_NODE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Removes name below dir_fd with everything in it, without following symbolic links. It is no error if it does not exist. */
int tree_remove(int dir_fd, const char *name, struct err *err);

/*
 * The disk space of name below dir_fd with everything in it. Files that vanish meanwhile, or that cannot be read, are not
 * counted.
 */
int64_t tree_bytes(int dir_fd, const char *name);

/* Calls fn for every name in the directory dir_fd except "." and ".."; fn may remove it. */
int tree_each(int dir_fd, void (*fn)(int dir_fd, const char *name, void *arg), void *arg, struct err *err);

/* Creates the directories of from_fd below to_fd, which must be empty, and hard-links every file. */
int tree_link(int from_fd, int to_fd, struct err *err);

/*
 * Two poolmgrs may work below one directory: during an upgrade, or while a poolmgr whose master was killed finishes its work. A
 * directory made by tree_make_owned is owned by its maker as long as the returned descriptor, or a copy of it in any process,
 * is open. tree_is_owned tells other processes whether it is owned, or that it is too early to tell. Neither function waits for
 * longer than the other one takes.
 */
int tree_make_owned(int dir_fd, const char *name, struct err *err);
bool tree_is_owned(int dir_fd, const char *name);

#endif
