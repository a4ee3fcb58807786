/*
 * Says whether the node has processor time to spare, over all its processors and the last half second. Sandboxes that are only
 * started in advance should not slow down current requests.
 */
#ifndef POOLMGR_NODE_HEADROOM_H
#define POOLMGR_NODE_HEADROOM_H

#include <stdbool.h>
#include <stdint.h>

/* path: that of /proc/stat (proc_stat(5)), or of a similar file for tests. */
void headroom_init(const char *path);
/* idle_percent: the share of the processors' time that must be idle, 0 to 100; with 0 there is always time to spare. */
void headroom_tick(int64_t now_us, int64_t idle_percent);

/* Also true in the first half second, and if the file cannot be read. */
bool headroom_is_there(void);

#endif
