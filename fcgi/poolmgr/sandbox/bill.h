/*
 * Records what no worker will record: the processor time that sandboxes used after their last invocation, and what they printed
 * then. It is gathered for a moment, then written to a spool file of poolmgr's own (ipc/spool_file.h), in a thread
 * (poolmgr/node/work.h).
 */
#ifndef POOLMGR_SANDBOX_BILL_H
#define POOLMGR_SANDBOX_BILL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "conf/conf.h"
#include "ipc/scoreboard.h"

struct printed_log;
struct version;

void bill_init(const struct conf *conf, struct scoreboard *board, int slot);
void bill_set_conf(const struct conf *conf);

/* Adds processor time of the version. */
void bill_add(const struct version *version, int64_t cpu_us);

/*
 * Adds output of the version's that an invocation, which was requested at at_us, has left behind, with so many errors that
 * nobody caught. The text is copied; if too much of it waits to be written, it is dropped and counted.
 */
void bill_add_late(const struct version *version, const struct uuid *id, uint64_t at_us, const struct printed_log *log,
		   unsigned errors);

/* Writes what was added, at intervals; with at_once, now. */
void bill_tick(int64_t now_us, bool at_once);

/* Whether anything is not written yet. */
bool bill_is_pending(void);

#endif
