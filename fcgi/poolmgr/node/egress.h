/*
 * Says whether sandboxes may have network "egress". scripts/egress creates the network and its rules, checks them every few
 * seconds, and writes the result to /run/berth-egress/INSTANCE/state: "ok", or the reason why not. A file that is no longer
 * written means that nobody checks; that counts as missing rules, so egress is refused.
 */
#ifndef POOLMGR_NODE_EGRESS_H
#define POOLMGR_NODE_EGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/conf.h"

#define EGRESS_STALE_US 20000000 /* scripts/egress writes four times as often */

/* "/run/berth-egress", but in tests, which set it before egress_init. */
extern const char *egress_directory;

/* changed is called when the network becomes unavailable and when it becomes available again. */
void egress_init(const struct conf *conf, void (*changed)(bool is_there));

/* Reads the result: a few bytes of a file in memory. */
void egress_tick(int64_t now_us);

/* Why no sandbox may have the network, in words for users; NULL: sandboxes may have it. Valid until the next tick. */
const char *egress_problem(void);

#endif
