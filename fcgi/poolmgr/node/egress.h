/*
 * Whether sandboxes may have network "egress". scripts/egress makes the network and its rules, and looks at them every few
 * seconds; what it found is in /run/berth-egress/INSTANCE/state: "ok", or why not. A file that is not written any more means
 * that nobody looks, and that counts as much as rules that are missing: what is not known to be shut is not opened.
 */
#ifndef POOLMGR_NODE_EGRESS_H
#define POOLMGR_NODE_EGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

#define EGRESS_STALE_US 20000000 /* scripts/egress looks four times as often */

/* "/run/berth-egress", but in tests, which set it before egress_init. */
extern const char *egress_directory;

/* changed is called when the network was there and is not any more, and when it is there again. */
void egress_init(const struct conf *conf, void (*changed)(bool is_there));

/* Reads what was found: a few bytes of a file in memory. */
void egress_tick(int64_t now_us);

/* Why no sandbox may have the network, in words a user understands; NULL: it may. Valid until the next tick. */
const char *egress_problem(void);

#endif
