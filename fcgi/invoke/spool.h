/*
 * A worker's spool: one record per invocation, in the worker's own file (ipc/spool_file.h), from which the collector stores it.
 * A record that cannot be kept is counted as dropped; the worker never waits for it.
 */
#ifndef INVOKE_SPOOL_H
#define INVOKE_SPOOL_H

#include <stdatomic.h>

#include "conf/conf.h"
#include "ipc/record.h"
#include "ipc/scoreboard.h"

struct spool;

/* No file is created before the first record. conf, slot and spooled_bytes (of all workers together) are borrowed. */
struct spool *spool_new(const struct conf *conf, struct slot *slot, const _Atomic uint64_t *spooled_bytes);
void spool_free(struct spool **spool); /* destructor for AUTO; accepts NULL */

/* Once it returns, the record survives the end of this process, or was counted as dropped; unless spool.enabled is 0. */
void spool_append(struct spool *spool, const struct record *record);

#endif
