/* What a number of invocations add up to, as the API tells it. */
#ifndef CONTROL_METRICS_FIGURES_H
#define CONTROL_METRICS_FIGURES_H

#include <jansson.h>

#include "db/db_metrics.h"

/* Zero-initialise it. */
struct figures {
	struct rollup rollup;
	json_t *errors; /* how many by error code; NULL: none */
};
void figures_free(struct figures *figures); /* destructor for AUTO */

int figures_add(struct figures *figures, const struct rollup_row *row, struct err *err);
void figures_merge(struct figures *to, const struct figures *from);

/* Puts them into an object. length_us: of the time they are of. */
void figures_tell(const struct figures *figures, int64_t length_us, json_t *json);

#endif
