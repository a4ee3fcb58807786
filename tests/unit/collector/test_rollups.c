/* rollups.h: what a collector keeps by minute, hour and day is what the single invocations add up to. */
#include "collector/rollups.h"

#include <errno.h>

#include "base/clock.h"
#include "base/mem.h"
#include "collector/batch.h"
#include "collector/offsets.h"
#include "db/db_metrics.h"
#include "tests/support/pg_group.h"
#include "tests/unit/collector/spool_fixture.h"
#include "tests/unit/unit.h"

#define LIMIT     (16u << 20)
#define MINUTE_US 60000000ll
#define DAY_US    86400000000ll
#define FUNCTIONS 3

/* A node with its spool and its collector. */
struct node {
	struct db *db;
	struct spool_fixture dir;
	struct spool *spool;
	struct writer writer;
	struct spool_batch batch;
};

struct fixture {
	struct conf *conf;
	struct node nodes[2];
	struct uuid functions[FUNCTIONS];
	uint64_t seed;
};

static void define_differences(void)
{
	const char *srcdir = getenv("srcdir"); /* automake's */
	AUTO(mem_free) char *path = mem_printf("%s/tests/support/rollup_differences.sql", srcdir ? srcdir : ".");
	AUTO(buf_free) struct buf sql = {0};
	FILE *file = fopen(path, "re");

	assert_non_null(file);
	sql.len = fread(buf_reserve(&sql, 65536), 1, 65536, file);
	sql.data[sql.len] = '\0';
	fclose(file);
	pg_scratch_exec(pg, "%s", sql.data);
}

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));
	struct err err;

	pg_scratch_reset(pg);
	define_differences();
	f->conf = pg_scratch_conf(pg);
	f->conf->database_statement_timeout_ms = 600000; /* a busy machine may take long for 100000 rows */
	for (size_t i = 0; i < ARRAY_SIZE(f->nodes); i++) {
		struct node *n = &f->nodes[i];
		n->db = db_new(f->conf, "test");
		spool_fixture_make(&n->dir);
		writer_open(&n->dir, &n->writer);
		assert_ok(spool_open(n->dir.spool_dir, i == 0 ? "node-1" : "node-2", &n->spool, &err));
	}
	for (int i = 0; i < FUNCTIONS; i++)
		f->functions[i] = uuid_new();
	f->seed = 42;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(f->nodes); i++) {
		struct node *n = &f->nodes[i];
		writer_close(&n->writer);
		spool_batch_free(&n->batch);
		spool_close(&n->spool);
		spool_fixture_remove(&n->dir);
		db_free(&n->db);
	}
	conf_free(&f->conf);
	mem_free(&f);
	return 0;
}

static uint64_t pick(struct fixture *f, uint64_t below)
{
	f->seed = f->seed * 6364136223846793005u + 1442695040888963407u;
	return (f->seed >> 33) % below;
}

/* An invocation of some function within the past days, of every kind there is. */
static struct record some_record(struct fixture *f, int64_t days)
{
	static const enum ipc_start_kind kinds[] = {IPC_START_COLD, IPC_START_PREWARMED, IPC_START_WARM, IPC_START_WARM};
	static const char *const runtimes[] = {"docker", "gvisor"};
	struct record r = sample_record();
	bool got_sandbox = pick(f, 8) > 0, failed = !got_sandbox || pick(f, 5) == 0;
	enum ipc_start_kind kind = got_sandbox ? kinds[pick(f, ARRAY_SIZE(kinds))] : IPC_START_NONE;
	const char *runtime = got_sandbox ? runtimes[pick(f, ARRAY_SIZE(runtimes))] : "";

	r.function_id = f->functions[pick(f, FUNCTIONS)];
	r.version = 1 + (uint32_t)pick(f, 2);
	r.requested_at_us = (uint64_t)(clock_wall_us() - (int64_t)pick(f, (uint64_t)days * 86400) * 1000000);
	r.queue_us = pick(f, 5000);
	r.init_us = got_sandbox && pick(f, 3) == 0 ? pick(f, 90000) : 0;
	r.exec_us = got_sandbox ? pick(f, 3000000) : 0;
	r.response_us = r.queue_us + r.init_us + r.exec_us + pick(f, 400);
	r.cpu_us = got_sandbox ? pick(f, 200000) : RECORD_UNKNOWN;
	r.memory_bytes = got_sandbox ? pick(f, 1 << 27) : 0;
	r.start_kind = (uint8_t)kind;
	r.runtime = STR(runtime);
	r.status = failed ? got_sandbox ? 502 : 429 : 200;
	r.error_code = STR(failed ? got_sandbox ? "function_error" : "throttled" : "");
	r.request_bytes = pick(f, 5000);
	return r;
}

static void append(struct node *n, const struct record *record)
{
	AUTO(buf_free) struct buf b = {0};

	writer_encode(&n->writer, record, &b);
	writer_append(&n->writer, b.data, b.len);
}

/* As a collector that has just started. */
static int store_all(struct node *n, struct err *why)
{
	struct spool_file *file, *next;
	struct err err;

	assert_ok(spool_scan(n->spool, &err));
	assert_ok(offsets_load(n->db, n->spool, &err));
	spool_batch_reset(&n->batch, LIMIT);
	HASH_ITER (hh, n->spool->files, file, next)
		assert_ok(spool_read(n->spool->dir_fd, file->name, file->offset, &n->batch, &err));
	return batch_store(n->db, n->spool, &n->batch, why);
}

static void store_some(struct fixture *f, struct node *n, int records, int64_t days)
{
	struct err err;

	for (int i = 0; i < records; i++) {
		struct record r = some_record(f, days);
		append(n, &r);
	}
	assert_ok(store_all(n, &err));
}

static void assert_no_differences(void)
{
	assert_int_equal(pg_scratch_number(pg, "select rollup_differences()"), 0);
}

static void they_are_what_the_single_invocations_add_up_to(void **state)
{
	struct fixture *f = *state;

	for (int batch = 0; batch < 6; batch++) {
		store_some(f, &f->nodes[0], 1 + (int)pick(f, 400), 1);
		assert_no_differences();
	}
	assert_true(pg_scratch_number(pg, "select count(*) from metrics") > 500);
	/* A check that sees nothing is none. */
	pg_scratch_exec(pg,
			"update metrics_hour set requests = requests + 1 where ctid = (select min(ctid) from metrics_hour)");
	assert_true(pg_scratch_number(pg, "select rollup_differences()") > 0);
}

static void late_ones_count_in_their_own_time(void **state)
{
	struct fixture *f = *state;

	store_some(f, &f->nodes[0], 200, 1);
	store_some(f, &f->nodes[0], 200, 10);
	assert_no_differences();
	assert_true(pg_scratch_number(pg, "select count(distinct bucket) from metrics_day") > 5);
}

static void several_nodes_add_up(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 6; i++)
		store_some(f, &f->nodes[i % 2], 100, 1);
	assert_no_differences();
	assert_int_equal(pg_scratch_number(pg, "select count(distinct spool_id) from metrics_day"), 2);
	assert_int_equal(pg_scratch_number(pg, "select count(distinct node) from metrics"), 2);
}

static void a_batch_that_is_not_committed_counts_nowhere(void **state)
{
	struct fixture *f = *state;
	struct node *n = &f->nodes[0];
	struct record r = some_record(f, 1);
	struct err err;

	store_some(f, n, 100, 1);
	append(n, &r);
	/* The last thing the transaction does fails. */
	pg_scratch_exec(pg, "create function refuse() returns trigger language plpgsql as 'begin raise exception ''no''; end'");
	pg_scratch_exec(pg, "create trigger refuse before insert on metrics_day for each row execute function refuse()");
	assert_int_equal(store_all(n, &err), -1);
	assert_no_differences();
	assert_int_equal(pg_scratch_number(pg, "select count(*) from metrics"), 100);
	pg_scratch_exec(pg, "drop trigger refuse on metrics_day");
	assert_ok(store_all(n, &err));
	assert_no_differences();
	assert_int_equal(pg_scratch_number(pg, "select sum(requests) from metrics_day where version = 0"), 101);
}

static void a_record_that_is_refused_counts_nowhere(void **state)
{
	struct fixture *f = *state;
	struct record bad = some_record(f, 1);

	bad.status = 1000;
	append(&f->nodes[0], &bad);
	store_some(f, &f->nodes[0], 20, 1);
	assert_int_equal(f->nodes[0].batch.refused_count, 1);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from metrics"), 20);
	assert_no_differences();
}

static int add_requests(const struct rollup_row *row, void *arg, struct err *err)
{
	return rollup_merge_row(arg, row->result, row->row, row->first, err);
}

static void what_is_asked_for_is_found_by_function_version_runtime_and_time(void **state)
{
	struct fixture *f = *state;
	char id[UUID_TEXT_SIZE];
	int64_t now_us = clock_wall_us(), today_us = now_us - now_us % DAY_US;
	struct err err;

	uuid_format(&f->functions[1], id);
	store_some(f, &f->nodes[0], 400, 3);
	const struct {
		struct rollup_query query;
		const char *where; /* besides the function */
	} rows[] = {
		{{ROLLUP_DAY, 0, now_us + DAY_US, NULL, NULL, 0}, "true"},
		{{ROLLUP_HOUR, 0, now_us + DAY_US, id, NULL, 0}, "true"},
		{{ROLLUP_MINUTE, 0, now_us + DAY_US, id, "docker", 0}, "runtime = 'docker'"},
		{{ROLLUP_DAY, 0, now_us + DAY_US, id, NULL, 2}, "version = 2"},
		{{ROLLUP_DAY, today_us - DAY_US, today_us, id, NULL, 0},
		 "(request_timestamp at time zone 'UTC')::date = (now() at time zone 'UTC')::date - 1"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO(rollup_free) struct rollup sum = {0};
		const char *of_function = rows[i].query.function_id != NULL ? id : "%";
		assert_ok(db_rollups(f->nodes[0].db, &rows[i].query, add_requests, &sum, &err));
		assert_true(sum.requests > 0);
		assert_int_equal(sum.requests,
				 pg_scratch_number(pg, "select count(*) from metrics where function_id::text like '%s' and %s",
						   of_function, rows[i].where));
		assert_int_equal(histogram_count(&sum.response_histogram), sum.requests);
	}
}

static void more_rows_than_can_be_told_are_an_error(void **state)
{
	struct fixture *f = *state;
	AUTO(rollup_free) struct rollup sum = {0};
	struct rollup_query all = {ROLLUP_HOUR, 0, clock_wall_us() + DAY_US, NULL, NULL, 0};
	struct err err;

	store_some(f, &f->nodes[0], 1, 1);
	pg_scratch_exec(pg, "update metrics_hour set bucket = to_timestamp(0) where version = 0");
	pg_scratch_exec(pg, "create table one as select * from metrics_hour where version = 0");
	pg_scratch_exec(pg, "alter table metrics_hour drop constraint metrics_hour_pkey");
	pg_scratch_exec(pg, "insert into metrics_hour select one.* from one, generate_series(1, 100000)");
	assert_fails(db_rollups(f->nodes[0].db, &all, add_requests, &sum, &err), "more than 100000 rows");
	assert_int_equal(err.code, E2BIG);
	pg_scratch_exec(pg, "delete from metrics_hour where ctid = (select min(ctid) from metrics_hour where version = 0)");
	assert_ok(db_rollups(f->nodes[0].db, &all, add_requests, &sum, &err));
	assert_int_equal(sum.requests, 100000);
}

static void a_row_that_somebody_else_wrote_is_an_error_not_a_crash(void **state)
{
	struct fixture *f = *state;
	AUTO(rollup_free) struct rollup sum = {0};
	struct rollup_query all = {ROLLUP_DAY, 0, clock_wall_us() + DAY_US, NULL, NULL, 0};
	struct err err;

	store_some(f, &f->nodes[0], 10, 1);
	pg_scratch_exec(pg, "update metrics_day set exec_histogram = 'nonsense'");
	assert_fails(db_rollups(f->nodes[0].db, &all, add_requests, &sum, &err), "no histogram");
	assert_int_equal(err.code, EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(they_are_what_the_single_invocations_add_up_to, set_up, tear_down),
		cmocka_unit_test_setup_teardown(late_ones_count_in_their_own_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(several_nodes_add_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_batch_that_is_not_committed_counts_nowhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_record_that_is_refused_counts_nowhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_asked_for_is_found_by_function_version_runtime_and_time, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(more_rows_than_can_be_told_are_an_error, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_row_that_somebody_else_wrote_is_an_error_not_a_crash, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
