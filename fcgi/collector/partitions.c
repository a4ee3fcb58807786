#include "collector/partitions.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/clock.h"
#include "collector/array.h"

#define DAY_US 86400000000ll

static const struct db_statement days_ensure = {
	.name = "partitions_ensure",
	.sql = "select ensure_metrics_partitions(date '1970-01-01' + day) from unnest($1::integer[]) as day",
	.param_count = 1,
};

int partitions_ensure(struct db *db, const struct spool_batch *batch, struct err *err)
{
	AUTO(buf_free) struct buf days = {0};
	int64_t latest = -1;

	/* Records are nearly in order of time, so few days come up twice, and that does no harm. */
	for (size_t i = 0; i < batch->record_count; i++) {
		int64_t day = (int64_t)(batch->records[i].record.requested_at_us / DAY_US);
		if (batch->records[i].refused || day == latest)
			continue;
		array_add(&days, "%" PRId64, day);
		latest = day;
	}
	if (days.len == 0)
		return 0;
	return db_run(db, &days_ensure, (struct db_param[]){array_param(&days)}, NULL, err);
}

int partitions_prepare(struct db *db, struct err *err)
{
	AUTO(buf_free) struct buf days = {0};
	int64_t today = clock_wall_us() / DAY_US;

	array_add(&days, "%" PRId64, today);
	array_add(&days, "%" PRId64, today + 1);
	return db_run(db, &days_ensure, (struct db_param[]){array_param(&days)}, NULL, err);
}
