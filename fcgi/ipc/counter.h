/*
 * The rows of counter.def, which poolmgr counts. A row of the family "kills" is also the reason why a sandbox ends, in memory
 * and in messages.
 */
#ifndef IPC_COUNTER_H
#define IPC_COUNTER_H

#include <stdbool.h>

enum counter {
#define COUNTER(NAME, family, label, text) COUNT_##NAME,
#include "ipc/counter.def"
	COUNTER_COUNT
};

struct counter_row {
	const char *family, *label, *text;
};

extern const struct counter_row counter_rows[COUNTER_COUNT];

/* Whether the number is a reason to end a sandbox, or 0 for no reason. */
bool counter_is_reason(unsigned counter);

#endif
