/*
 * The directories of sandboxes on the host. <state_dir>/sandboxes/<id> is poolmgr's: that it is locked says that a poolmgr has
 * this sandbox. <id>/berth is /berth in the sandbox, with the sockets and the function's files; what a function may do to it,
 * to lock it above all, says nothing to anybody. Only this user can reach one on the host (the parent of all is 0700); the
 * sandbox's own user must be able to connect and read.
 */
#ifndef POOLMGR_NODE_DIRECTORY_H
#define POOLMGR_NODE_DIRECTORY_H

#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "conf/conf.h"

int directory_init(uv_loop_t *loop, const struct conf *conf, struct err *err);

/* What is in it, by names that begin at the descriptor of directory_make. */
#define DIRECTORY_MOUNTED  "berth"
#define DIRECTORY_CONTROL  DIRECTORY_MOUNTED "/control.sock"
#define DIRECTORY_LOG      DIRECTORY_MOUNTED "/log.sock"
#define DIRECTORY_FUNCTION DIRECTORY_MOUNTED "/function"

char *directory_mounted_path(const char *id); /* in new memory */

/* With an empty DIRECTORY_FUNCTION. It is ours until the descriptor returned is closed: another poolmgr leaves it alone. */
int directory_make(const char *id, struct err *err);

bool directory_exists(const char *id);
bool directory_is_owned(const char *id); /* by whoever has made it, or it is too early to say */
bool directory_is_gone(int fd);          /* somebody has removed it */

/* Removes it in a thread, and then calls after. */
void directory_remove(const char *id, void (*after)(bool removed, void *arg), void *arg);

/* Calls one for each there is. */
int directory_each(void (*one)(const char *id, void *arg), void *arg, struct err *err);

#endif
