/* Directory trees, relative to open descriptors so that no name on the way can lead elsewhere. Blocking: for worker threads. */
#ifndef POOLMGR_NODE_TREE_H
#define POOLMGR_NODE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* Removes name below dir_fd with all that is in it, following no symbolic link. One that is not there is no error. */
int tree_remove(int dir_fd, const char *name, struct err *err);

/* What name below dir_fd takes on the disk with all that is in it. What vanishes meanwhile, or cannot be looked at, is not
 * counted. */
int64_t tree_bytes(int dir_fd, const char *name);

/* Calls fn for every name in the directory dir_fd besides "." and "..", which fn may remove. */
int tree_each(int dir_fd, void (*fn)(int dir_fd, const char *name, void *arg), void *arg, struct err *err);

/* Rebuilds the directories of from_fd below to_fd, which is empty, and hard-links every file. */
int tree_link(int from_fd, int to_fd, struct err *err);

/*
 * Two poolmgrs may work below one directory: at an upgrade, or while one whose master was killed ends what it has in hand. What
 * tree_make_owned has made is its maker's as long as the descriptor it returns is open, or a copy of it in any process; to
 * everybody else tree_is_owned says so, or that it is too early to say. Neither waits for longer than the other one takes.
 */
int tree_make_owned(int dir_fd, const char *name, struct err *err);
bool tree_is_owned(int dir_fd, const char *name);

#endif
