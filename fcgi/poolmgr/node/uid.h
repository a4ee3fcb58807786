/*
 * The user ids of sandboxes, from sandbox.uid_base on: each sandbox has its own. Two poolmgrs that run at the same time (during
 * an upgrade) never use the same one as long as there are enough: while an id is in use, the byte of <state_dir>/uids at its
 * offset is locked.
 */
#ifndef POOLMGR_NODE_UID_H
#define POOLMGR_NODE_UID_H

#include <stdint.h>

#include "base/err.h"
#include "conf/conf.h"

/* Takes the range from conf; it cannot be changed later. */
int uid_init(const struct conf *conf, struct err *err);

/*
 * Takes ids in a circle, so that an id is not reused soon after its last sandbox, from a random start, so that ids of a poolmgr
 * that has died, or of another instance, are unlikely to be met.
 */
uint32_t uid_take(void);
void uid_give_back(uint32_t uid);

#endif
