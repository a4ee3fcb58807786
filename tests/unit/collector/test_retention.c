#include "collector/retention.h"

#include "base/clock.h"
#include "tests/unit/collector/storing_rig.h"

#define DAY_US 86400000000ll

static long partitions_of(const char *table)
{
	return pg_scratch_number(pg, "select count(*) from pg_inherits where inhparent = '%s'::regclass", table);
}

static void what_is_older_than_the_settings_say_is_dropped(void **state)
{
	struct storing_rig *f = *state;

	for (int day = 0; day < 40; day++) {
		struct record r = sample_record();
		r.requested_at_us = (uint64_t)(clock_wall_us() - day * DAY_US);
		storing_append(f, &r);
	}
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(partitions_of("metrics"), 40);
	pg_scratch_exec(pg,
			"insert into system_samples select 'n', now() - d * interval '1 day', 0,0,0,0,0,0,0,0,0,0,0,0,0,0,0 "
			"from generate_series(0, 39) as d");

	f->conf->retention_raw_days = 0;
	f->conf->retention_minute_days = 0;
	f->conf->retention_hour_days = 0;
	assert_int_equal(retention_apply(f->db, f->conf, &f->err), 0);
	assert_int_equal(partitions_of("metrics"), 40);

	f->conf->retention_raw_days = 14;
	f->conf->retention_minute_days = 30;
	f->conf->retention_hour_days = 35;
	assert_int_equal(retention_apply(f->db, f->conf, &f->err), 0);
	assert_int_equal(partitions_of("metrics"), 15); /* today's and those of 14 whole days */
	assert_int_equal(partitions_of("invocation_logs"), 15);
	assert_int_equal(partitions_of("metrics_minute"), 31);
	assert_int_equal(pg_scratch_number(pg, "select count(distinct bucket) from metrics_hour where version = 0"), 35);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from system_samples"), 35);
	assert_int_equal(pg_scratch_number(pg, "select count(distinct bucket) from metrics_day where version = 0"), 40);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from metrics"), 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORING_TEST(what_is_older_than_the_settings_say_is_dropped),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
