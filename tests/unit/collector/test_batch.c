#include "collector/batch.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/mem.h"
#include "tests/unit/collector/storing_rig.h"

static void what_a_sandbox_used_after_its_last_invocation_is_in_the_figures_and_no_invocation(void **state)
{
	struct storing_rig *f = *state;
	struct record one = sample_record(), bill = {.function_id = one.function_id,
						     .version = one.version,
						     .runtime = one.runtime,
						     .requested_at_us = one.requested_at_us,
						     .cpu_us = RECORD_UNKNOWN,
						     .status = 200,
						     .background_us = 30000};

	one.cpu_us = 500;
	one.background_us = 4000;
	storing_append(f, &one);
	storing_append(f, &bill);
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(storing_count(), 1);
	AUTO(mem_free)
	char *minute =
		pg_scratch_value(pg, "select concat_ws('|', requests, warm, cpu_us, cpu_requests, background_us, "
				     "response_us, octet_length(queue_histogram)) from metrics_minute where version = 1");
	AUTO(mem_free)
	char *alone = pg_scratch_value(pg, "select concat_ws('|', 1, 1, 500, 1, 34000, 1500, octet_length(queue_histogram)) "
					   "from metrics_minute where version = 1");
	assert_string_equal(minute, alone);
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
	struct storing_rig *f = *state;

	writer_records(&f->writer, 10);
	make_commits_slow();
	pid_t pid = storing_start_client(f, storing_load_and_store);
	wait_for_activity("wait_event = 'PgSleep' and query = 'commit'");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(storing_count(), 0);

	/* What the next one reads is stale by the time it may write. */
	assert_int_equal(storing_load_and_store(f), -1);
	assert_int_equal(f->err.code, ESTALE);
	assert_int_equal(storing_count(), 10);
	pg_scratch_exec(pg, "drop trigger nap on spool_offsets");
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(storing_count(), 10);
}

static void a_transaction_cut_off_before_its_commit_leaves_nothing(void **state)
{
	struct storing_rig *f = *state;
	int status;

	writer_records(&f->writer, 10);
	make_commits_slow();
	pid_t pid = storing_start_client(f, storing_load_and_store);
	wait_for_activity("wait_event = 'PgSleep' and query = 'commit'");
	pg_scratch_exec(pg, "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'client'");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_int_equal(storing_count(), 0);
	pg_scratch_exec(pg, "drop trigger nap on spool_offsets");
	assert_int_equal(storing_load_and_store(f), 0);
	assert_int_equal(storing_count(), 10);
}

static void a_record_set_aside_is_kept_as_it_was(void **state)
{
	struct storing_rig *f = *state;
	struct record bad = sample_record();
	AUTO(buf_free) struct buf b = {0};
	AUTO(mem_free) char *text = NULL;
	size_t len = 0;

	writer_records(&f->writer, 1);
	long offset = (long)file_size(&f->dir, f->writer.name);
	bad.status = 70000;
	storing_append(f, &bad);
	writer_encode(&f->writer, &bad, &b);
	assert_int_equal(storing_load_and_store(f), 0);
	AUTO(mem_free) char *path = mem_printf("%s/rejected/%.36s-%ld.spool", f->dir.spool_dir, f->writer.name, offset);
	assert_int_equal(fd_read_file(path, 10000, &text, &len, &f->err), 0);
	assert_int_equal(len, b.len);
	assert_memory_equal(text, b.data, len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORING_TEST(what_a_sandbox_used_after_its_last_invocation_is_in_the_figures_and_no_invocation),
		STORING_TEST(a_commit_of_a_killed_collector_is_waited_for_and_counts),
		STORING_TEST(a_transaction_cut_off_before_its_commit_leaves_nothing),
		STORING_TEST(a_record_set_aside_is_kept_as_it_was),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
