#include "collector/retention.h"

static const struct db_statement partitions_drop = {
	.name = "partitions_drop",
	.sql = "select drop_metrics_partitions($1::text, (now() at time zone 'UTC')::date - $2::integer)",
	.param_count = 2,
};

/* A bounded number at a time; the rest is left for the next call. */
static const struct db_statement hours_delete = {
	.name = "hours_delete",
	.sql = "delete from metrics_hour where ctid = any (array ("
	       "select ctid from metrics_hour where bucket < now() - make_interval(days => $1::integer) limit 50000))",
	.param_count = 1,
};

static const struct db_statement samples_delete = {
	.name = "samples_delete",
	.sql = "delete from system_samples where at < now() - make_interval(days => $1::integer)",
	.param_count = 1,
};

static int drop_partitions(struct db *db, const char *table, int64_t days, struct err *err)
{
	return days == 0 ? 0 : db_run(db, &partitions_drop, (struct db_param[]){db_text(table), db_int(days)}, NULL, err);
}

static int delete_rows(struct db *db, const struct db_statement *statement, int64_t days, struct err *err)
{
	return days == 0 ? 0 : db_run(db, statement, (struct db_param[]){db_int(days)}, NULL, err);
}

int retention_apply(struct db *db, const struct conf *conf, struct err *err)
{
	if (drop_partitions(db, "metrics", conf->retention_raw_days, err) < 0 ||
	    drop_partitions(db, "invocation_logs", conf->retention_raw_days, err) < 0 ||
	    drop_partitions(db, "metrics_minute", conf->retention_minute_days, err) < 0)
		return -1;
	if (delete_rows(db, &hours_delete, conf->retention_hour_days, err) < 0)
		return -1;
	return delete_rows(db, &samples_delete, conf->retention_hour_days, err);
}
