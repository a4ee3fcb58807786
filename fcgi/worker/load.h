/* Are there processors without work? */
#ifndef WORKER_LOAD_H
#define WORKER_LOAD_H

#include <stdbool.h>

struct load;

/* Opens /proc/loadavg; without it every answer is yes. */
struct load *load_new(void);
void load_free(struct load **load); /* destructor for AUTO; accepts NULL */

/* Whether another process that can run would get a processor at once, as far as one look can say. Takes a few microseconds. */
bool load_has_idle(const struct load *load);

#endif
