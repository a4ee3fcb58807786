/* Says whether there are processors without work. */
#ifndef WORKER_LOAD_H
#define WORKER_LOAD_H

#include <stdbool.h>

struct load;

/* Opens /proc/loadavg; without it every answer is yes. */
struct load *load_new(void);
void load_free(struct load **load); /* destructor for AUTO; accepts NULL */

/*
 * Whether another runnable process would get a processor at once, as far as a single look can tell. Takes a few microseconds.
 */
bool load_has_idle(const struct load *load);

#endif
