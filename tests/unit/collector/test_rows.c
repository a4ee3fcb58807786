/* Through batch_store: what PostgreSQL has is what was in the records. */
#include "collector/rows.h"

#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/unit/collector/storing_rig.h"

static void rows_lie_in_the_order_of_time(void **state)
{
	struct storing_rig *f = *state;
	const uint64_t ms_ago[] = {5, 1, 4, 2, 3};
	struct record r = sample_record();
	uint64_t now_us = (uint64_t)clock_wall_us() / 1000000 * 1000000 + 500000; /* all of one day */

	for (size_t i = 0; i < ARRAY_SIZE(ms_ago); i++) {
		r.invocation_id = uuid_new();
		r.requested_at_us = now_us - ms_ago[i] * 1000;
		storing_append(f, &r);
	}
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(storing_count(), ARRAY_SIZE(ms_ago));
	assert_int_equal(
		pg_scratch_number(pg, "select count(*) from (select ctid, lag(ctid) over (order by request_timestamp) as before"
				      " from metrics) m where ctid < before"),
		0);
}

static void every_column_is_filled_from_its_field(void **state)
{
	struct storing_rig *f = *state;
	struct record r = sample_record();

	r.requested_at_us = (uint64_t)clock_wall_us() / 1000000 * 1000000 + 123456;
	r.version = 7;
	r.response_us = 1501;
	r.queue_us = 2000;
	r.init_us = 3000;
	r.exec_us = 4250;
	r.cpu_us = 1250;
	r.background_us = 2750;
	r.memory_bytes = 7340032;
	r.error_code = STR("function_error");
	r.error_message = STR("it \xff"
			      "broke");
	r.status = 502;
	r.log = (struct str){"line\0\xff", 6};
	r.log_bytes = 1000;
	r.start_cause = STR("the one before ended");
	storing_append(f, &r);
	assert_int_equal(storing_load_and_store(f), 0);

	AUTO(mem_free)
	char *metric = pg_scratch_value(
		pg, "select concat_ws('|', version, request_id, response_time_ms, queue_ms, init_ms, exec_ms, start_kind, "
		    "start_cause, runtime, "
		    "status, error_flag, error_code, error_message, request_bytes, response_bytes, cpu_ms, background_cpu_ms, "
		    "memory_peak_bytes) from "
		    "metrics");
	assert_string_equal(
		metric, "7|5f0c7a9e-req|1.501|2|3|4.25|warm|the one before ended|docker|502|t|function_error|it \xef\xbf\xbd"
			"broke|20|30|1.25|2.75|7340032");
	AUTO(mem_free)
	char *log = pg_scratch_value(
		pg, "select concat_ws('|', encode(log, 'hex'), log_bytes, l.late_for is null, m.function_id = l.function_id, "
		    "m.request_timestamp = l.request_timestamp) from invocation_logs l join metrics m using (metric_id)");
	assert_string_equal(log, "6c696e6500ff|1000|t|t|t");
	AUTO(mem_free)
	char *us = pg_scratch_value(pg, "select (extract(epoch from request_timestamp) * 1000000)::bigint from metrics");
	assert_int_equal(strtoull(us, NULL, 10), r.requested_at_us);
}

static void late_output_is_a_row_of_its_own_and_no_invocation(void **state)
{
	struct storing_rig *f = *state;
	struct record r = sample_record();

	r.requested_at_us = (uint64_t)clock_wall_us() / 1000000 * 1000000;
	r.log = STR("mine");
	r.log_bytes = 4;
	storing_append(f, &r);
	r.late_for_us = r.requested_at_us;
	r.requested_at_us += 2000000;
	r.log = STR("too late");
	r.log_bytes = 8;
	storing_append(f, &r);
	assert_int_equal(storing_load_and_store(f), 0);

	AUTO(mem_free) char *count = pg_scratch_value(pg, "select count(*) from metrics");
	assert_string_equal(count, "1");
	AUTO(mem_free)
	char *logs = pg_scratch_value(
		pg, "select string_agg(concat_ws('|', convert_from(log, 'UTF8'), extract(epoch from l.request_timestamp - "
		    "late_for)::int), ' ' order by l.request_timestamp) from invocation_logs l join metrics using (metric_id)");
	assert_string_equal(logs, "mine too late|2");
	AUTO(mem_free) char *requests = pg_scratch_value(pg, "select max(requests) from metrics_minute");
	assert_string_equal(requests, "1");
}

static void what_was_not_measured_is_null(void **state)
{
	struct storing_rig *f = *state;
	struct record unmeasured = sample_record(), idle = sample_record();

	unmeasured.cpu_us = RECORD_UNKNOWN;
	idle.version = 2;
	idle.memory_bytes = 4096; /* measured, and used no processor worth a microsecond */
	storing_append(f, &unmeasured);
	storing_append(f, &idle);
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from metrics where version = 1 and cpu_ms is null "
					       "and memory_peak_bytes is null"),
			 1);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from metrics where version = 2 and cpu_ms = 0 "
					       "and memory_peak_bytes = 4096"),
			 1);
}

static void an_invocation_that_printed_nothing_has_no_log(void **state)
{
	struct storing_rig *f = *state;

	writer_records(&f->writer, 3);
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(storing_count(), 3);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from invocation_logs"), 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from metrics where error_flag or error_code is not null"), 0);
}

static void a_refused_record_is_set_aside_and_costs_no_other(void **state)
{
	struct storing_rig *f = *state;
	struct record bad = sample_record();

	writer_records(&f->writer, 20);
	bad.status = 70000;
	storing_append(f, &bad);
	writer_records(&f->writer, 7);
	bad = sample_record();
	bad.request_bytes = (uint64_t)INT64_MAX + 1;
	storing_append(f, &bad);
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(storing_count(), 27);
	assert_int_equal(f->batch.refused_count, 2);
	assert_non_null(strstr(f->batch.refused_why, "status"));
	assert_int_equal(rejected_count(&f->dir), 2);
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(storing_count(), 27);
}

static void a_record_that_is_stored_already_is_set_aside(void **state)
{
	struct storing_rig *f = *state;

	writer_records(&f->writer, 5);
	assert_int_equal(storing_load_and_store(f), 0);
	pg_scratch_exec(pg, "delete from spool_offsets");
	writer_records(&f->writer, 1);
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(storing_count(), 6);
	assert_int_equal(f->batch.refused_count, 5);
}

static void what_has_nothing_to_do_with_the_records_sets_none_aside(void **state)
{
	struct storing_rig *f = *state;

	writer_records(&f->writer, 2);
	pg_scratch_exec(pg, "create function fail() returns trigger language plpgsql as "
			    "$$ begin raise 'no space left' using errcode = 'disk_full'; end $$");
	pg_scratch_exec(pg, "create trigger fail before insert on metrics for each row execute function fail()");
	assert_int_equal(storing_load_and_store(f), -1);
	assert_int_equal(f->err.code, EAGAIN);
	assert_int_equal(rejected_count(&f->dir), 0);
	pg_scratch_exec(pg, "drop trigger fail on metrics");
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(storing_count(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORING_TEST(rows_lie_in_the_order_of_time),
		STORING_TEST(every_column_is_filled_from_its_field),
		STORING_TEST(late_output_is_a_row_of_its_own_and_no_invocation),
		STORING_TEST(what_was_not_measured_is_null),
		STORING_TEST(an_invocation_that_printed_nothing_has_no_log),
		STORING_TEST(a_refused_record_is_set_aside_and_costs_no_other),
		STORING_TEST(a_record_that_is_stored_already_is_set_aside),
		STORING_TEST(what_has_nothing_to_do_with_the_records_sets_none_aside),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
