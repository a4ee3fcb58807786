/*
 * The user ids of sandboxes: each has one of its own, from sandbox.uid_base on. Two poolmgrs that run at a time (at an upgrade)
 * never give the same one, as long as there are enough: the byte of <state_dir>/uids at that offset is locked while it is
 * taken.
 */
#ifndef POOLMGR_NODE_UID_H
#define POOLMGR_NODE_UID_H

#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"

/* Takes the range from conf, for good. */
int uid_init(const struct conf *conf, struct err *err);

/*
 * Goes round, so that an id is not used again soon after its last sandbox; from anywhere, so that those of a poolmgr that has
 * died, or of another instance, are hardly met.
 */
uint32_t uid_take(void);
void uid_give_back(uint32_t uid);

#endif
