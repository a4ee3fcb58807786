/* The counters of poolmgr since it started (counter.def). To count: counters[COUNT_START]++. */
#ifndef POOLMGR_NODE_COUNTERS_H
#define POOLMGR_NODE_COUNTERS_H

#include <jansson.h>
#include <stdint.h>

#include "ipc/counter.h"

extern uint64_t counters[COUNTER_COUNT];

/* {"starts": {"begun": 3, …}, …}: a new reference. */
json_t *counters_json(void);

#endif
