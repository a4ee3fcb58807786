/* Aggregates of invocations as the API shows them. */
#ifndef CONTROL_METRICS_FIGURES_H
#define CONTROL_METRICS_FIGURES_H

#include <jansson.h>

#include "db/db_metrics.h"

/* Zero-initialise it. */
struct figures {
	struct rollup rollup;
	json_t *errors; /* numbers by error code; NULL: none */
};
void figures_free(struct figures *figures); /* destructor for AUTO */

int figures_add(struct figures *figures, const struct rollup_row *row, struct err *err);
void figures_merge(struct figures *to, const struct figures *from);

/* Adds the figures to an object. length_us: the length of their period. */
void figures_write(const struct figures *figures, int64_t length_us, json_t *json);

#endif
