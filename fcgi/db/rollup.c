#include "db/rollup.h"

#include <errno.h>

const int64_t rollup_span_us[] = {[ROLLUP_MINUTE] = 60000000ll, [ROLLUP_HOUR] = 3600000000ll, [ROLLUP_DAY] = 86400000000ll};

#define ROLLUP_SUM(column, value)               ", " #column
#define ROLLUP_MAX(column, value)               ", " #column
#define ROLLUP_HISTOGRAM(column, value, counts) ", " #column
const char rollup_columns[] =
#include "db/rollup.def"
	;
#undef ROLLUP_SUM
#undef ROLLUP_MAX
#undef ROLLUP_HISTOGRAM

#define ROLLUP_SUM(column, value)               +1
#define ROLLUP_MAX(column, value)               +1
#define ROLLUP_HISTOGRAM(column, value, counts) +1
const int rollup_column_count = 0
#include "db/rollup.def"
	;
#undef ROLLUP_SUM
#undef ROLLUP_MAX
#undef ROLLUP_HISTOGRAM

void rollup_free(struct rollup *rollup)
{
#define ROLLUP_SUM(column, value)
#define ROLLUP_MAX(column, value)
#define ROLLUP_HISTOGRAM(column, value, counts) histogram_free(&rollup->column);
#include "db/rollup.def"
#undef ROLLUP_SUM
#undef ROLLUP_MAX
#undef ROLLUP_HISTOGRAM
}

void rollup_add(struct rollup *rollup, const struct record *r)
{
#define ROLLUP_SUM(column, value) rollup->column += (uint64_t)(value);
#define ROLLUP_MAX(column, value) rollup->column = MAX(rollup->column, (uint64_t)(value));
#define ROLLUP_HISTOGRAM(column, value, counts)                                                                                \
	if (counts)                                                                                                            \
		histogram_add(&rollup->column, value);
#include "db/rollup.def"
#undef ROLLUP_SUM
#undef ROLLUP_MAX
#undef ROLLUP_HISTOGRAM
}

void rollup_merge(struct rollup *to, const struct rollup *from)
{
#define ROLLUP_SUM(column, value)               to->column += from->column;
#define ROLLUP_MAX(column, value)               to->column = MAX(to->column, from->column);
#define ROLLUP_HISTOGRAM(column, value, counts) histogram_merge(&to->column, &from->column);
#include "db/rollup.def"
#undef ROLLUP_SUM
#undef ROLLUP_MAX
#undef ROLLUP_HISTOGRAM
}

static int get_number(const PGresult *result, int row, int column, uint64_t *number, struct err *err)
{
	if (PQgetlength(result, row, column) != (int)sizeof(*number))
		return err_set(err, EPROTO, "column %s of a rollup is no bigint", PQfname(result, column));
	*number = buf_get_u64(PQgetvalue(result, row, column));
	return 0;
}

int rollup_merge_row(struct rollup *to, const PGresult *result, int row, int first, struct err *err)
{
	uint64_t number;
	int c = first;

	if (PQnfields(result) < first + rollup_column_count)
		return err_set(err, EPROTO, "a rollup has too few columns");
#define ROLLUP_SUM(column, value)                                                                                              \
	if (get_number(result, row, c++, &number, err) < 0)                                                                    \
		return -1;                                                                                                     \
	to->column += number;
#define ROLLUP_MAX(column, value)                                                                                              \
	if (get_number(result, row, c++, &number, err) < 0)                                                                    \
		return -1;                                                                                                     \
	to->column = MAX(to->column, number);
#define ROLLUP_HISTOGRAM(column, value, counts)                                                                                \
	if (histogram_merge_encoded(&to->column, PQgetvalue(result, row, c), (size_t)PQgetlength(result, row, c), err) < 0)    \
		return -1;                                                                                                     \
	c++;
#include "db/rollup.def"
#undef ROLLUP_SUM
#undef ROLLUP_MAX
#undef ROLLUP_HISTOGRAM
	return 0;
}
