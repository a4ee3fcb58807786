/*
 * Whether the node has processor time to spare: of all its processors together, over the last half second. What is started only
 * so that it is ready later should not slow down what is wanted now.
 */
#ifndef POOLMGR_NODE_HEADROOM_H
#define POOLMGR_NODE_HEADROOM_H

#include <stdbool.h>
#include <stdint.h>

/* path: of /proc/stat (proc_stat(5)), or of a file that reads like it, for tests. */
void headroom_init(const char *path);
void headroom_tick(int64_t now_us);

/* True as well before the first half second, and where nothing can be read. */
bool headroom_is_there(void);

#endif
