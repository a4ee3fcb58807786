/* The rows of counter.def: what poolmgr counts. One of the family "kills" is the reason why a sandbox ends, here and on the
 * wire. */
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

/* Is that a reason why a sandbox ends, or 0, which stands for none? */
bool counter_is_reason(unsigned counter);

#endif
