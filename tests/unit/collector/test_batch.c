#include "collector/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "tests/support/pg_scratch.h"
#include "tests/unit/collector/spool_fixture.h"

#define LIMIT  1048576
#define DAY_US 86400000000ull

static struct pg_scratch *pg;

struct fixture {
	struct conf *conf;
	struct db *db;
	struct spool_fixture dir;
	struct spool *spool;
	struct writer writer;
	struct spool_batch batch;
	struct err err;
};

static int start_postgres(void **state)
{
	(void)state;
	pg = pg_scratch_new();
	return 0;
}

static int stop_postgres(void **state)
{
	(void)state;
	pg_scratch_free(&pg);
	return 0;
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	pg_scratch_reset(pg);
	f->conf = pg_scratch_conf(pg);
	f->db = db_new(f->conf, "test");
	spool_fixture_make(&f->dir);
	writer_open(&f->dir, &f->writer);
	assert_int_equal(spool_open(f->dir.spool_dir, "node-1", &f->spool, &f->err), 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	writer_close(&f->writer);
	spool_batch_free(&f->batch);
	spool_close(&f->spool);
	spool_fixture_remove(&f->dir);
	db_free(&f->db);
	conf_free(&f->conf);
	mem_free(&f);
	return 0;
}

static void append(struct fixture *f, const struct record *record)
{
	AUTO(buf_free) struct buf b = {0};

	writer_encode(&f->writer, record, &b);
	writer_append(&f->writer, b.data, b.len);
}

/* What a collector that has just started does: nothing is remembered from before. */
static void load(struct fixture *f)
{
	assert_int_equal(spool_scan(f->spool, &f->err), 0);
	assert_int_equal(store_load_offsets(f->db, f->spool, &f->err), 0);
}

static void read_all(struct fixture *f)
{
	struct spool_file *file, *next;

	spool_batch_reset(&f->batch, LIMIT);
	HASH_ITER (hh, f->spool->files, file, next)
		assert_int_equal(spool_read(f->spool->dir_fd, file->name, file->offset, &f->batch, &f->err), 0);
}

static int load_and_store(struct fixture *f)
{
	load(f);
	read_all(f);
	return store_batch(f->db, f->spool, &f->batch, &f->err);
}

static long stored(void)
{
	return pg_scratch_number(pg, "select count(*) from metrics");
}

static void rows_lie_in_the_order_of_time(void **state)
{
	struct fixture *f = *state;
	const uint64_t ms_ago[] = {5, 1, 4, 2, 3};
	struct record r = sample_record();
	uint64_t now_us = (uint64_t)clock_wall_us() / 1000000 * 1000000 + 500000; /* all of one day */

	for (size_t i = 0; i < ARRAY_SIZE(ms_ago); i++) {
		r.invocation_id = uuid_new();
		r.requested_at_us = now_us - ms_ago[i] * 1000;
		append(f, &r);
	}
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(stored(), ARRAY_SIZE(ms_ago));
	assert_int_equal(
		pg_scratch_number(pg, "select count(*) from (select ctid, lag(ctid) over (order by request_timestamp) as before"
				      " from metrics) m where ctid < before"),
		0);
}

static void every_column_is_filled_from_its_field(void **state)
{
	struct fixture *f = *state;
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
	r.orphan_bytes = 3;
	append(f, &r);
	assert_int_equal(load_and_store(f), 0);

	AUTO(mem_free)
	char *metric = pg_scratch_value(
		pg,
		"select concat_ws('|', version, request_id, response_time_ms, queue_ms, init_ms, exec_ms, start_kind, runtime, "
		"status, error_flag, error_code, error_message, request_bytes, response_bytes, cpu_ms, background_cpu_ms, "
		"memory_peak_bytes) from "
		"metrics");
	assert_string_equal(metric, "7|5f0c7a9e-req|1.501|2|3|4.25|warm|docker|502|t|function_error|it \xef\xbf\xbd"
				    "broke|20|30|1.25|2.75|7340032");
	AUTO(mem_free)
	char *log = pg_scratch_value(
		pg, "select concat_ws('|', encode(log, 'hex'), log_bytes, orphan_bytes, m.function_id = l.function_id, "
		    "m.request_timestamp = l.request_timestamp) from invocation_logs l join metrics m using (metric_id)");
	assert_string_equal(log, "6c696e6500ff|1000|3|t|t");
	AUTO(mem_free)
	char *us = pg_scratch_value(pg, "select (extract(epoch from request_timestamp) * 1000000)::bigint from metrics");
	assert_int_equal(strtoull(us, NULL, 10), r.requested_at_us);
}

static void what_a_sandbox_used_after_its_last_invocation_is_in_the_figures_and_no_invocation(void **state)
{
	struct fixture *f = *state;
	struct record one = sample_record(), bill = {.function_id = one.function_id,
						     .version = one.version,
						     .runtime = one.runtime,
						     .requested_at_us = one.requested_at_us,
						     .cpu_us = RECORD_UNKNOWN,
						     .status = 200,
						     .background_us = 30000};

	one.cpu_us = 500;
	one.background_us = 4000;
	append(f, &one);
	append(f, &bill);
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(stored(), 1);
	AUTO(mem_free)
	char *minute =
		pg_scratch_value(pg, "select concat_ws('|', requests, warm, cpu_us, cpu_requests, background_us, "
				     "response_us, octet_length(queue_histogram)) from metrics_minute where version = 1");
	AUTO(mem_free)
	char *alone = pg_scratch_value(pg, "select concat_ws('|', 1, 1, 500, 1, 34000, 1500, octet_length(queue_histogram)) "
					   "from metrics_minute where version = 1");
	assert_string_equal(minute, alone);
}

static void what_was_not_measured_is_null(void **state)
{
	struct fixture *f = *state;
	struct record unmeasured = sample_record(), idle = sample_record();

	unmeasured.cpu_us = RECORD_UNKNOWN;
	idle.version = 2;
	idle.memory_bytes = 4096; /* measured, and used no processor worth a microsecond */
	append(f, &unmeasured);
	append(f, &idle);
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from metrics where version = 1 and cpu_ms is null "
					       "and memory_peak_bytes is null"),
			 1);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from metrics where version = 2 and cpu_ms = 0 "
					       "and memory_peak_bytes = 4096"),
			 1);
}

static void an_invocation_that_printed_nothing_has_no_log(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 3);
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(stored(), 3);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from invocation_logs"), 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from metrics where error_flag or error_code is not null"), 0);
}

static void a_file_is_stored_once_however_often_it_is_replayed(void **state)
{
	struct fixture *f = *state;

	for (int i = 1; i <= 3; i++) {
		writer_records(&f->writer, 10);
		assert_int_equal(load_and_store(f), 0);
		assert_int_equal(load_and_store(f), 0);
		assert_int_equal(stored(), 10 * i);
	}
	writer_close(&f->writer);
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(stored(), 30);
}

static void a_batch_with_old_offsets_is_not_stored(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 10);
	load(f);
	read_all(f);
	assert_int_equal(store_batch(f->db, f->spool, &f->batch, &f->err), 0);
	assert_int_equal(store_batch(f->db, f->spool, &f->batch, &f->err), -1);
	assert_int_equal(f->err.code, ESTALE);
	assert_int_equal(stored(), 10);
}

/* A process with a connection of its own does its work and exits with 0 if that succeeds. */
static pid_t start_client(struct fixture *f, int (*work)(struct fixture *f))
{
	pid_t pid = fork();

	if (pid == 0) {
		struct db *inherited = f->db;
		f->db = db_new(f->conf, "client");
		int rc = work(f);
		db_free(&f->db);
		f->db = inherited;
		_exit(rc == 0 ? 0 : 1);
	}
	return pid;
}

static void wait_for_activity(const char *condition)
{
	while (pg_scratch_number(pg, "select count(*) from pg_stat_activity where application_name = 'client' and %s",
				 condition) == 0)
		usleep(5000);
}

/* From now on PostgreSQL takes a second over each COMMIT that advances offsets, and so it does not notice that a client has
 * gone. */
static void make_commits_slow(void)
{
	pg_scratch_exec(
		pg,
		"create function nap() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return null; end $$");
	pg_scratch_exec(pg, "create constraint trigger nap after update on spool_offsets deferrable initially deferred "
			    "for each row execute function nap()");
}

static void a_commit_of_a_killed_collector_is_waited_for_and_counts(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 10);
	make_commits_slow();
	pid_t pid = start_client(f, load_and_store);
	wait_for_activity("wait_event = 'PgSleep' and query = 'commit'");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(stored(), 0);

	/* What the next one reads is stale by the time it may write. */
	assert_int_equal(load_and_store(f), -1);
	assert_int_equal(f->err.code, ESTALE);
	assert_int_equal(stored(), 10);
	pg_scratch_exec(pg, "drop trigger nap on spool_offsets");
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(stored(), 10);
}

static void a_transaction_cut_off_before_its_commit_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	int status;

	writer_records(&f->writer, 10);
	make_commits_slow();
	pid_t pid = start_client(f, load_and_store);
	wait_for_activity("wait_event = 'PgSleep' and query = 'commit'");
	pg_scratch_exec(pg, "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'client'");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_int_equal(stored(), 0);
	pg_scratch_exec(pg, "drop trigger nap on spool_offsets");
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(stored(), 10);
}

static void a_refused_record_is_set_aside_and_costs_no_other(void **state)
{
	struct fixture *f = *state;
	struct record bad = sample_record();

	writer_records(&f->writer, 20);
	bad.status = 70000;
	append(f, &bad);
	writer_records(&f->writer, 7);
	bad = sample_record();
	bad.start_kind = STR("lukewarm");
	append(f, &bad);
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(stored(), 27);
	assert_int_equal(f->batch.refused_count, 2);
	assert_non_null(strstr(f->batch.refused_why, "status"));
	assert_int_equal(rejected_count(&f->dir), 2);
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(stored(), 27);
}

static void a_record_that_is_stored_already_is_set_aside(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 5);
	assert_int_equal(load_and_store(f), 0);
	pg_scratch_exec(pg, "delete from spool_offsets");
	writer_records(&f->writer, 1);
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(stored(), 6);
	assert_int_equal(f->batch.refused_count, 5);
}

static void a_record_set_aside_is_kept_as_it_was(void **state)
{
	struct fixture *f = *state;
	struct record bad = sample_record();
	AUTO(buf_free) struct buf b = {0};
	AUTO(mem_free) char *text = NULL;
	size_t len = 0;

	writer_records(&f->writer, 1);
	long offset = (long)file_size(&f->dir, f->writer.name);
	bad.status = 70000;
	append(f, &bad);
	writer_encode(&f->writer, &bad, &b);
	assert_int_equal(load_and_store(f), 0);
	AUTO(mem_free) char *path = mem_printf("%s/rejected/%.36s-%ld.spool", f->dir.spool_dir, f->writer.name, offset);
	assert_int_equal(fd_read_file(path, 10000, &text, &len, &f->err), 0);
	assert_int_equal(len, b.len);
	assert_memory_equal(text, b.data, len);
}

static void a_time_that_cannot_be_true_makes_no_partition(void **state)
{
	struct fixture *f = *state;
	struct record r = sample_record();
	uint64_t now = r.requested_at_us;
	const uint64_t times[] = {0, 1577836799999999, now + 2 * DAY_US, UINT64_MAX, now + DAY_US / 2, now - 3 * DAY_US};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		r = sample_record();
		r.requested_at_us = times[i];
		append(f, &r);
	}
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(stored(), 2);
	assert_int_equal(rejected_count(&f->dir), 4);
	assert_in_range(pg_scratch_number(pg, "select count(*) from pg_inherits where inhparent = 'metrics'::regclass"), 1, 2);
}

static void partitions_are_days_in_utc(void **state)
{
	struct fixture *f = *state;

	pg_scratch_exec(pg, "set timezone = 'America/New_York'");
	pg_scratch_exec(pg, "select ensure_metrics_partitions('2024-02-29')");
	pg_scratch_exec(pg, "reset timezone");
	pg_scratch_exec(pg, "set timezone = 'UTC'");
	AUTO(mem_free)
	char *bound = pg_scratch_value(
		pg, "select pg_get_expr(relpartbound, oid) from pg_class where relname = 'invocation_logs_20240229'");
	assert_string_equal(bound, "FOR VALUES FROM ('2024-02-29 00:00:00+00') TO ('2024-03-01 00:00:00+00')");
	assert_int_equal(store_prepare_partitions(f->db, &f->err), 0);
	assert_int_equal(store_prepare_partitions(f->db, &f->err), 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from pg_inherits where inhparent = 'metrics'::regclass"), 3);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from pg_class where relname = 'metrics_' || "
					       "to_char((now() at time zone 'UTC')::date + 1, 'YYYYMMDD')"),
			 1);
}

static int make_partitions(struct fixture *f)
{
	return store_prepare_partitions(f->db, &f->err);
}

static void partitions_can_be_made_by_many_at_once(void **state)
{
	struct fixture *f = *state;
	pid_t pids[8];
	int status;

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		pids[i] = start_client(f, make_partitions);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(pg_scratch_number(pg, "select count(*) from pg_inherits where inhparent = 'metrics'::regclass"), 2);
}

static void readers_are_not_kept_out_while_a_partition_is_made(void **state)
{
	struct fixture *f = *state;

	pg_scratch_exec(pg, "begin");
	pg_scratch_exec(pg, "select count(*) from metrics");
	assert_int_equal(store_prepare_partitions(f->db, &f->err), 0);
	pg_scratch_exec(pg, "commit");
}

static void rows_of_files_that_are_gone_are_deleted_but_not_those_of_other_spools(void **state)
{
	struct fixture *f = *state;

	pg_scratch_exec(pg,
			"insert into spool_offsets (file_name, spool_id, byte_offset) values "
			"('gone.spool', '%s', 5), ('elsewhere.spool', gen_random_uuid(), 6)",
			f->spool->id);
	load(f);
	AUTO(mem_free) char *left = pg_scratch_value(pg, "select string_agg(file_name, ' ') from spool_offsets");
	assert_string_equal(left, "elsewhere.spool");
}

static void a_spool_keeps_its_id(void **state)
{
	struct fixture *f = *state;
	AUTO(spool_close) struct spool *again = NULL;

	assert_int_equal(spool_open(f->dir.spool_dir, "node-1", &again, &f->err), 0);
	assert_string_equal(again->id, f->spool->id);
}

static void a_finished_file_leaves_neither_file_nor_row(void **state)
{
	struct fixture *f = *state;
	size_t count = 0;

	writer_records(&f->writer, 2);
	writer_close(&f->writer);
	assert_int_equal(load_and_store(f), 0);
	assert_true(f->batch.reads[0].finished);
	spool_find(f->spool, f->writer.name)->finished = true;
	assert_int_equal(spool_unlink_finished(f->spool, &count, &f->err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(store_forget_finished(f->db, f->spool, &f->err), 0);
	spool_forget_finished(f->spool);
	assert_null(spool_find(f->spool, f->writer.name));
	assert_int_equal(file_size(&f->dir, f->writer.name), -1);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from spool_offsets"), 0);
}

static void what_has_nothing_to_do_with_the_records_sets_none_aside(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 2);
	pg_scratch_exec(pg, "create function fail() returns trigger language plpgsql as "
			    "$$ begin raise 'no space left' using errcode = 'disk_full'; end $$");
	pg_scratch_exec(pg, "create trigger fail before insert on metrics for each row execute function fail()");
	assert_int_equal(load_and_store(f), -1);
	assert_int_equal(f->err.code, EAGAIN);
	assert_int_equal(rejected_count(&f->dir), 0);
	pg_scratch_exec(pg, "drop trigger fail on metrics");
	assert_int_equal(load_and_store(f), 0);
	assert_int_equal(stored(), 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_column_is_filled_from_its_field),
		TEST(rows_lie_in_the_order_of_time),
		TEST(what_was_not_measured_is_null),
		TEST(what_a_sandbox_used_after_its_last_invocation_is_in_the_figures_and_no_invocation),
		TEST(an_invocation_that_printed_nothing_has_no_log),
		TEST(a_file_is_stored_once_however_often_it_is_replayed),
		TEST(a_batch_with_old_offsets_is_not_stored),
		TEST(a_commit_of_a_killed_collector_is_waited_for_and_counts),
		TEST(a_transaction_cut_off_before_its_commit_leaves_nothing),
		TEST(a_refused_record_is_set_aside_and_costs_no_other),
		TEST(a_record_that_is_stored_already_is_set_aside),
		TEST(a_record_set_aside_is_kept_as_it_was),
		TEST(a_time_that_cannot_be_true_makes_no_partition),
		TEST(partitions_are_days_in_utc),
		TEST(partitions_can_be_made_by_many_at_once),
		TEST(readers_are_not_kept_out_while_a_partition_is_made),
		TEST(rows_of_files_that_are_gone_are_deleted_but_not_those_of_other_spools),
		TEST(a_spool_keeps_its_id),
		TEST(a_finished_file_leaves_neither_file_nor_row),
		TEST(what_has_nothing_to_do_with_the_records_sets_none_aside),
	};

	return cmocka_run_group_tests(tests, start_postgres, stop_postgres);
}
