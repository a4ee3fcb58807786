/*
 * The memory of a process that takes in whole what others may make large, requests and logs: bounded, so that one that needs
 * too much ends alone and says so, and given back after what needed much.
 */
#ifndef API_MEMORY_H
#define API_MEMORY_H

#include "base/err.h"
#include "conf/conf.h"

/* For the whole life of the process, at its start. */
int memory_bound(const struct conf *conf, struct err *err);

/* After each request. Costs next to nothing when it had needed little. */
void memory_rest(void);

#endif
