/*
 * The directories of sandboxes on the host. <state_dir>/sandboxes/<id> belongs to poolmgr; it is locked while a poolmgr has
 * this sandbox. <id>/berth is /berth in the sandbox, with the sockets and the function's files; nothing that a function can do
 * to it, such as locking it, has a meaning for berthd. <id>/passwd and <id>/group are its /etc/passwd and /etc/group, with
 * names for its user and group. On the host only poolmgr's user can reach the directories (their parent has mode 0700); the
 * sandbox's own user must be able to connect and read.
 */
#ifndef POOLMGR_NODE_DIRECTORY_H
#define POOLMGR_NODE_DIRECTORY_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "conf/conf.h"

int directory_init(uv_loop_t *loop, const struct conf *conf, struct err *err);

/* Names in the directory, relative to the descriptor of directory_make. */
#define DIRECTORY_MOUNTED  "berth"
#define DIRECTORY_CONTROL  DIRECTORY_MOUNTED "/control.sock"
#define DIRECTORY_LOG      DIRECTORY_MOUNTED "/log.sock"
#define DIRECTORY_FUNCTION DIRECTORY_MOUNTED "/function"
#define DIRECTORY_PASSWD   "passwd"
#define DIRECTORY_GROUP    "group"

char *directory_path(const char *id); /* malloc'ed */

/*
 * Creates the directory of a sandbox whose user and group have this number, with an empty DIRECTORY_FUNCTION. It is ours until
 * the returned descriptor is closed: another poolmgr leaves it alone.
 */
int directory_make(const char *id, uint32_t uid, struct err *err);

bool directory_exists(const char *id);
bool directory_is_owned(const char *id); /* its maker has it locked, or it is too new to tell */
bool directory_is_gone(int fd);          /* it was removed */

/* Removes it in a thread, and then calls after. */
void directory_remove(const char *id, void (*after)(bool removed, void *arg), void *arg);

/* Calls one for each directory. */
int directory_each(void (*one)(const char *id, void *arg), void *arg, struct err *err);

#endif
