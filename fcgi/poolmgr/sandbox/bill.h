/*
 * What sandboxes used of the processor after their last invocation, which no worker will ever put on record: added up for a
 * moment, then written to a spool file of poolmgr's own (ipc/spool_file.h), in a thread (poolmgr/node/work.h).
 */
#ifndef POOLMGR_SANDBOX_BILL_H
#define POOLMGR_SANDBOX_BILL_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"
#include "ipc/scoreboard.h"

struct version;

void bill_init(const struct conf *conf, struct scoreboard *board, int slot);
void bill_set_conf(const struct conf *conf);

/* That much is the version's. */
void bill_add(const struct version *version, int64_t cpu_us);

/* Writes what has gathered, every now and then; with at_once, now. */
void bill_tick(int64_t now_us, bool at_once);

/* Is there anything that is not written? */
bool bill_is_pending(void);

#endif
