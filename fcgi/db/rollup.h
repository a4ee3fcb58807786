/*
 * The aggregate of any number of invocations, as in the tables metrics_minute, metrics_hour and metrics_day (rollup.def). Any
 * two can be merged, in any order.
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

/* The names of the columns, each after a comma, and their number. */
extern const char rollup_columns[];
extern const int rollup_column_count;

/*
 * Merges a row of a binary result, whose columns from first on are in the order of rollup_columns. -1: the row has other
 * content; *to is then invalid.
 */
int rollup_merge_row(struct rollup *to, const PGresult *result, int row, int first, struct err *err);

#endif
