/* The whole collector as the master starts it, in a child process with the inherited descriptors. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/mem.h"
#include "ipc/inherited.h"
#include "ipc/scoreboard.h"
#include "tests/support/pg_group.h"
#include "tests/unit/collector/spool_fixture.h"

#define TIMEOUT_US 60000000

struct fixture {
	struct conf *conf;
	struct spool_fixture dir;
	struct writer writer;
	struct scoreboard *board;
	int board_fd;
	FILE *conf_text; /* what the master shares with its children */
	int life[2];     /* pipe; the test holds the writing end */
	char log[96];
	pid_t pid; /* the collector; 0 while there is none */
	struct err err;
};

static int set_up(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	pg_scratch_reset(pg);
	spool_fixture_make(&f->dir);
	writer_open(&f->dir, &f->writer);
	f->conf = pg_scratch_conf(pg);
	mem_free(&f->conf->master_state_dir);
	f->conf->master_state_dir = mem_strdup(f->dir.state_dir);
	f->conf->collector_interval_ms = 10;
	f->conf->collector_batch_bytes = 65536;
	assert_int_equal(scoreboard_create(2, &f->board, &f->board_fd, &f->err), 0);
	assert_int_equal(pipe2(f->life, O_CLOEXEC), 0);
	f->conf_text = tmpfile();
	assert_non_null(f->conf_text);
	snprintf(f->log, sizeof(f->log), "%s/log", f->dir.state_dir);
	*state = f;
	return 0;
}

static void start(struct fixture *f)
{
	const struct inherited inherited = {.role = CHILD_COLLECTOR, .slot = 1, .conf = f->conf};

	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid > 0)
		return;
	/* There is no exec here that would close what is the test's. */
	writer_close(&f->writer);
	int log = open(f->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	int board = fcntl(f->board_fd, F_DUPFD, 20), life = fcntl(f->life[0], F_DUPFD, 20);
	int conf = fcntl(fileno(f->conf_text), F_DUPFD, 20);
	close(f->life[1]);
	dup2(log, STDERR_FILENO);
	dup2(conf, INHERITED_CONF_FD);
	dup2(board, INHERITED_SCOREBOARD_FD);
	dup2(life, INHERITED_LIFE_FD);
	_exit(collector_main(&inherited));
}

/* Its exit status, or minus the signal that ended it. */
static int end(struct fixture *f, int sig)
{
	int status;

	if (sig != 0)
		kill(f->pid, sig);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	f->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->pid > 0)
		end(f, SIGKILL);
	writer_close(&f->writer);
	fd_close(&f->life[0]);
	fd_close(&f->life[1]);
	fd_close(&f->board_fd);
	fclose(f->conf_text);
	scoreboard_close(&f->board);
	spool_fixture_remove(&f->dir);
	conf_free(&f->conf);
	mem_free(&f);
	return 0;
}

static long stored(void)
{
	return pg_scratch_number(pg, "select count(*) from metrics");
}

static void wait_until_stored(long count)
{
	int64_t deadline_us = clock_mono_us() + TIMEOUT_US;

	while (stored() < count && clock_mono_us() < deadline_us)
		usleep(20000); /* counting takes from who stores */
	assert_int_equal(stored(), count);
}

/* Waits for a round that finds so many bytes in the spool that are not stored. */
static void wait_until_pending(struct fixture *f, uint64_t bytes)
{
	int64_t deadline_us = clock_mono_us() + TIMEOUT_US;

	while (atomic_load(scoreboard_spool_bytes(f->board)) != bytes && clock_mono_us() < deadline_us)
		usleep(5000);
	assert_int_equal(atomic_load(scoreboard_spool_bytes(f->board)), bytes);
}

static void wait_until_gone(struct fixture *f, const char *name)
{
	int64_t deadline_us = clock_mono_us() + TIMEOUT_US;

	while (file_size(&f->dir, name) >= 0 && clock_mono_us() < deadline_us)
		usleep(5000);
	assert_int_equal(file_size(&f->dir, name), -1);
}

/* How many lines of the log contain the text. */
static int log_lines(struct fixture *f, const char *text)
{
	AUTO(mem_free) char *log = NULL;
	int lines = 0;

	assert_int_equal(fd_read_file(f->log, 1 << 20, &log, NULL, &f->err), 0);
	for (char *p = log; (p = strstr(p, text)) != NULL; p = strchr(p, '\n'))
		lines++;
	return lines;
}

static void wait_for_log(struct fixture *f, const char *text)
{
	int64_t deadline_us = clock_mono_us() + TIMEOUT_US;

	while (access(f->log, F_OK) < 0 || (log_lines(f, text) == 0 && clock_mono_us() < deadline_us))
		usleep(5000);
	assert_int_equal(log_lines(f, text), 1);
}

static void records_are_stored_and_a_finished_file_is_removed(void **state)
{
	struct fixture *f = *state;

	start(f);
	writer_records(&f->writer, 1000);
	wait_until_stored(1000);
	assert_true(file_size(&f->dir, f->writer.name) > 0);
	writer_records(&f->writer, 1);
	writer_close(&f->writer);
	wait_until_gone(f, f->writer.name);
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(stored(), 1001);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from spool_offsets"), 0);
	assert_int_equal(atomic_load(scoreboard_spool_bytes(f->board)), 0);
	assert_int_equal(atomic_load(&scoreboard_slot(f->board, 1)->state), SLOT_STOPPING);
	assert_int_equal(atomic_load(&scoreboard_slot(f->board, 1)->requests), 1001);
	assert_int_equal(log_lines(f, "level=w") + log_lines(f, "level=e"), 0);
}

static void sigterm_stores_what_is_there(void **state)
{
	struct fixture *f = *state;

	f->conf->collector_interval_ms = 60000;
	start(f);
	while (atomic_load(&scoreboard_slot(f->board, 1)->state) != SLOT_IDLE)
		usleep(1000);
	writer_records(&f->writer, 100);
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(stored(), 100);
}

static void sighup_brings_new_settings(void **state)
{
	struct fixture *f = *state;

	f->conf->collector_interval_ms = 60000;
	start(f);
	while (atomic_load(&scoreboard_slot(f->board, 1)->state) != SLOT_IDLE)
		usleep(1000);
	writer_records(&f->writer, 100);
	f->conf->collector_interval_ms = 10;
	f->conf->database_statement_timeout_ms = 4000;
	conf_dump(f->conf, f->conf_text);
	fflush(f->conf_text);
	kill(f->pid, SIGHUP);
	wait_until_stored(100);
	writer_records(&f->writer, 100);
	wait_until_stored(200);
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(log_lines(f, "settings reloaded"), 1);
	assert_int_equal(log_lines(f, "level=w") + log_lines(f, "level=e"), 0);
}

static void the_end_of_the_master_ends_it(void **state)
{
	struct fixture *f = *state;

	writer_records(&f->writer, 100);
	start(f);
	fd_close(&f->life[1]);
	assert_int_equal(end(f, 0), 0);
	assert_int_equal(stored(), 100);
}

static void without_postgresql_records_wait_and_the_log_says_so_once(void **state)
{
	struct fixture *f = *state;

	start(f);
	writer_records(&f->writer, 10);
	wait_until_stored(10);
	int64_t stored_bytes = file_size(&f->dir, f->writer.name);
	pg_scratch_stop(pg);
	for (int round = 0; round < 5; round++) {
		writer_records(&f->writer, 10);
		wait_until_pending(f, (uint64_t)(file_size(&f->dir, f->writer.name) - stored_bytes));
	}
	wait_for_log(f, "records stay in the spool");
	pg_scratch_start(pg);
	wait_until_stored(60);
	wait_for_log(f, "records are stored again");
	assert_int_equal(log_lines(f, "records stay in the spool"), 1);
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(log_lines(f, "msg="), 2);
}

static void without_postgresql_sigterm_leaves_the_records_in_the_spool(void **state)
{
	struct fixture *f = *state;

	pg_scratch_stop(pg);
	writer_records(&f->writer, 20);
	start(f);
	wait_for_log(f, "records stay in the spool");
	assert_int_equal(end(f, SIGTERM), 0);
	wait_for_log(f, "bytes stay in the spool for the next collector");
	pg_scratch_start(pg);
	assert_int_equal(stored(), 0);
	assert_true(file_size(&f->dir, f->writer.name) > 0);
}

static void many_files_are_stored_and_removed(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2000; i++) {
		writer_close(&f->writer);
		writer_open(&f->dir, &f->writer);
		writer_records(&f->writer, 2);
	}
	writer_close(&f->writer);
	start(f);
	wait_until_stored(4000);
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from spool_offsets"), 0);
	assert_int_equal(file_size(&f->dir, f->writer.name), -1);
}

static void damage_and_refused_records_are_logged_once_and_stop_nothing(void **state)
{
	struct fixture *f = *state;
	AUTO(buf_free) struct buf b = {0};
	struct record r = sample_record();

	r.status = 70000;
	writer_encode(&f->writer, &r, &b);
	writer_records(&f->writer, 5);
	writer_append(&f->writer, "some garbage", 12);
	writer_append(&f->writer, b.data, b.len);
	writer_records(&f->writer, 5);
	writer_append(&f->writer, b.data, b.len / 2);
	start(f);
	wait_until_stored(10);
	writer_close(&f->writer);
	wait_until_gone(f, f->writer.name);
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(log_lines(f, "12 damaged bytes skipped"), 1);
	assert_int_equal(log_lines(f, "1 records cannot be stored and are set aside"), 1);
	assert_int_equal(log_lines(f, "unfinished record, dropped"), 1);
	assert_int_equal(rejected_count(&f->dir), 2);
}

static void a_file_that_cannot_be_read_does_not_stop_the_others(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->dir.dir_fd, "0192d3a0-0000-7000-8000-000000000000.spool", 0700), 0);
	start(f);
	for (int stored_before = 0; stored_before < 50; stored_before += 10) {
		writer_records(&f->writer, 10);
		wait_until_stored(stored_before + 10);
	}
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(log_lines(f, "level=error"), 1);
}

static void a_postgresql_too_slow_for_a_batch_gets_smaller_ones(void **state)
{
	struct fixture *f = *state;

	/* A millisecond per row: all rows at once are too much for the time there is, some hundred are not. */
	pg_scratch_exec(pg, "create function slow() returns trigger language plpgsql as "
			    "$$ begin perform pg_sleep(0.001); return new; end $$");
	pg_scratch_exec(pg, "create trigger slow before insert on metrics for each row execute function slow()");
	f->conf->database_statement_timeout_ms = 500;
	f->conf->collector_batch_bytes = 1 << 20;
	writer_records(&f->writer, 1000);
	start(f);
	wait_until_stored(1000);
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(log_lines(f, "statement timeout"), 1);
}

/* Kills collectors and connections at random moments while a writer goes on. */
static void every_record_is_stored_once_whatever_is_killed(void **state)
{
	struct fixture *f = *state;
	long written = 0;

	srandom(7);
	f->conf->collector_interval_ms = 10;
	for (int i = 0; i < 40; i++) {
		start(f);
		for (int k = 0; k < 5; k++) {
			writer_records(&f->writer, 300);
			written += 300;
			usleep((useconds_t)(random() % 8000));
		}
		if (i % 4 == 1) {
			writer_close(&f->writer);
			writer_open(&f->dir, &f->writer);
		}
		if (i % 3 == 0)
			pg_scratch_exec(pg, "select pg_terminate_backend(pid) from pg_stat_activity "
					    "where application_name = 'berth collector'");
		end(f, SIGKILL);
	}
	start(f);
	wait_until_stored(written);
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(stored(), written);
	assert_int_equal(pg_scratch_number(pg, "select count(distinct metric_id) from metrics"), written);
	assert_int_equal(rejected_count(&f->dir), 0);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from spool_offsets"), 1);
}

/* As at an upgrade: the file of a worker of before ends while both are there, and comes to its end in either. */
static void two_at_a_time_take_turns_and_every_record_is_stored_once(void **state)
{
	struct fixture *f = *state;

	start(f);
	writer_records(&f->writer, 100);
	wait_until_stored(100);
	pid_t before = f->pid;
	start(f);
	wait_for_log(f, "waits for the collector before it to end");
	writer_records(&f->writer, 100);
	wait_until_stored(200); /* by the one before */
	assert_int_equal(log_lines(f, "takes over"), 0);
	writer_records(&f->writer, 100);
	pid_t after = f->pid;
	f->pid = before;
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(stored(), 300);
	f->pid = after;
	wait_for_log(f, "takes over from the collector before it");
	writer_records(&f->writer, 100);
	wait_until_stored(400);
	writer_close(&f->writer);
	wait_until_gone(f, f->writer.name);
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(stored(), 400);
	assert_int_equal(rejected_count(&f->dir), 0);
	assert_int_equal(log_lines(f, "level=w") + log_lines(f, "level=e"), 0);
}

static void one_that_never_had_its_turn_ends_without_a_trace(void **state)
{
	struct fixture *f = *state;

	start(f);
	writer_records(&f->writer, 100);
	wait_until_stored(100);
	pid_t before = f->pid;
	start(f);
	wait_for_log(f, "waits for the collector before it to end");
	assert_int_equal(end(f, SIGTERM), 0);
	f->pid = before;
	writer_records(&f->writer, 100);
	assert_int_equal(end(f, SIGTERM), 0);
	assert_int_equal(stored(), 200);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(records_are_stored_and_a_finished_file_is_removed),
		TEST(sigterm_stores_what_is_there),
		TEST(sighup_brings_new_settings),
		TEST(the_end_of_the_master_ends_it),
		TEST(without_postgresql_records_wait_and_the_log_says_so_once),
		TEST(without_postgresql_sigterm_leaves_the_records_in_the_spool),
		TEST(many_files_are_stored_and_removed),
		TEST(damage_and_refused_records_are_logged_once_and_stop_nothing),
		TEST(a_file_that_cannot_be_read_does_not_stop_the_others),
		TEST(a_postgresql_too_slow_for_a_batch_gets_smaller_ones),
		TEST(two_at_a_time_take_turns_and_every_record_is_stored_once),
		TEST(one_that_never_had_its_turn_ends_without_a_trace),
		TEST(every_record_is_stored_once_whatever_is_killed),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
