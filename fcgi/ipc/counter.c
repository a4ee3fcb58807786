#include "ipc/counter.h"

#include <string.h>

const struct counter_row counter_rows[COUNTER_COUNT] = {
#define COUNTER(NAME, family, label, text) [COUNT_##NAME] = {#family, #label, text},
#include "ipc/counter.def"
};

bool counter_is_reason(unsigned counter)
{
	return counter == 0 || (counter < COUNTER_COUNT && strcmp(counter_rows[counter].family, "kills") == 0);
}
