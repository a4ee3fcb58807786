/*
 * What a number of invocations add up to, as the tables metrics_minute, metrics_hour and metrics_day hold it (rollup.def). Any
 * two can be merged; the order does not matter.
 */
#ifndef DB_ROLLUP_H
#define DB_ROLLUP_H

#include <libpq-fe.h>
#include <stdint.h>

#include "base/histogram.h"
#include "ipc/record.h"

enum rollup_span { ROLLUP_MINUTE, ROLLUP_HOUR, ROLLUP_DAY, ROLLUP_SPAN_COUNT };
extern const int64_t rollup_span_us[ROLLUP_SPAN_COUNT];

/* Zero-initialise it. */
struct rollup {
#define ROLLUP_SUM(column, value)               uint64_t column;
#define ROLLUP_MAX(column, value)               uint64_t column;
#define ROLLUP_HISTOGRAM(column, value, counts) struct histogram column;
#include "db/rollup.def"
#undef ROLLUP_SUM
#undef ROLLUP_MAX
#undef ROLLUP_HISTOGRAM
};

void rollup_free(struct rollup *rollup); /* destructor for AUTO */

void rollup_add(struct rollup *rollup, const struct record *record);
void rollup_merge(struct rollup *to, const struct rollup *from);

/* Their names, each after a comma; their number. */
extern const char rollup_columns[];
extern const int rollup_column_count;

/*
 * Merges what a row of a binary result holds in the columns from first on, in the order of rollup_columns. -1: something else
 * than that is there; *to is then worth nothing.
 */
int rollup_merge_row(struct rollup *to, const PGresult *result, int row, int first, struct err *err);

#endif
