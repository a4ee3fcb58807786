#include "collector/partitions.h"

#include <sys/wait.h>

#include "base/mem.h"
#include "tests/unit/collector/storing_rig.h"

#define DAY_US 86400000000ull

static void a_time_that_cannot_be_true_makes_no_partition(void **state)
{
	struct storing_rig *f = *state;
	struct record r = sample_record();
	uint64_t now = r.requested_at_us;
	const uint64_t times[] = {0, 1577836799999999, now + 2 * DAY_US, UINT64_MAX, now + DAY_US / 2, now - 3 * DAY_US};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		r = sample_record();
		r.requested_at_us = times[i];
		storing_append(f, &r);
	}
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(storing_count(), 2);
	assert_int_equal(rejected_count(&f->dir), 4);
	assert_in_range(pg_scratch_number(pg, "select count(*) from pg_inherits where inhparent = 'metrics'::regclass"), 1, 2);
}

static void partitions_are_days_in_utc(void **state)
{
	struct storing_rig *f = *state;

	pg_scratch_exec(pg, "set timezone = 'America/New_York'");
	pg_scratch_exec(pg, "select ensure_metrics_partitions('2024-02-29')");
	pg_scratch_exec(pg, "reset timezone");
	pg_scratch_exec(pg, "set timezone = 'UTC'");
	AUTO(mem_free)
	char *bound = pg_scratch_value(
		pg, "select pg_get_expr(relpartbound, oid) from pg_class where relname = 'invocation_logs_20240229'");
	assert_string_equal(bound, "FOR VALUES FROM ('2024-02-29 00:00:00+00') TO ('2024-03-01 00:00:00+00')");
	assert_int_equal(partitions_prepare(f->db, &f->err), 0);
	assert_int_equal(partitions_prepare(f->db, &f->err), 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from pg_inherits where inhparent = 'metrics'::regclass"), 3);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from pg_class where relname = 'metrics_' || "
					       "to_char((now() at time zone 'UTC')::date + 1, 'YYYYMMDD')"),
			 1);
}

static int make_partitions(struct storing_rig *f)
{
	return partitions_prepare(f->db, &f->err);
}

static void partitions_can_be_made_by_many_at_once(void **state)
{
	struct storing_rig *f = *state;
	pid_t pids[8];
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = storing_start_client(f, make_partitions);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(pg_scratch_number(pg, "select count(*) from pg_inherits where inhparent = 'metrics'::regclass"), 2);
}

static void readers_are_not_kept_out_while_a_partition_is_made(void **state)
{
	struct storing_rig *f = *state;

	pg_scratch_exec(pg, "begin");
	pg_scratch_exec(pg, "select count(*) from metrics");
	assert_int_equal(partitions_prepare(f->db, &f->err), 0);
	pg_scratch_exec(pg, "commit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORING_TEST(a_time_that_cannot_be_true_makes_no_partition),
		STORING_TEST(partitions_are_days_in_utc),
		STORING_TEST(partitions_can_be_made_by_many_at_once),
		STORING_TEST(readers_are_not_kept_out_while_a_partition_is_made),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
