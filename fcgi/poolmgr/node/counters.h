/* What poolmgr counts: the table in counter.def. Counting is an increment: counters[COUNT_START]++. */
#ifndef POOLMGR_NODE_COUNTERS_H
#define POOLMGR_NODE_COUNTERS_H

#include <jansson.h>
#include <stdint.h>

#include "base/fields.h"

enum counter {
#define COUNTER(NAME, family, label, text) COUNT_##NAME,
#include "ipc/counter.def"
#undef COUNTER
	COUNTER_COUNT
};

extern uint64_t counters[COUNTER_COUNT];

struct counter_row {
	const char *family, *label, *text;
};

extern const struct counter_row counter_rows[COUNTER_COUNT];

/* The one of a family with that label, or with that text; fallback when there is none. */
enum counter counter_labelled(const char *family, const char *label, enum counter fallback);
enum counter counter_saying(const char *family, struct str text, enum counter fallback);

/* {"starts": {"begun": 3, …}, …}: a new reference. */
json_t *counter_json(void);

#endif
