/*
 * Bounds the memory of a process that holds whole requests and logs, which may be large. A process that needs too much ends,
 * alone and with a message. Memory that a large request needed is returned to the system.
 */
#ifndef API_MEMORY_H
#define API_MEMORY_H

#include "base/err.h"
#include "conf/conf.h"

/* To be called once, at the start of the process. */
int memory_bound(const struct conf *conf, struct err *err);

/* To be called after each request. Costs next to nothing when the request needed little. */
void memory_trim(void);

#endif
