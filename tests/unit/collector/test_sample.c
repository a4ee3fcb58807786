#include "collector/sample.h"

#include "base/clock.h"
#include "base/mem.h"
#include "tests/support/pg_group.h"
#include "tests/unit/unit.h"

static int set_up(void **state)
{
	int rc = pg_group_start(state);

	pg_scratch_reset(pg);
	return rc;
}

/* Not at the turn of a minute, when one is due anyway. */
static void avoid_the_full_minute(void)
{
	while (clock_wall_us() % 60000000 > 50000000)
		usleep(100000);
}

static void one_sample_a_minute_tells_the_machine_and_the_pool(void **state)
{
	AUTO(conf_free) struct conf *conf = pg_scratch_conf(pg);
	AUTO(db_free) struct db *db = db_new(conf, "test");
	AUTO(scoreboard_close) struct scoreboard *board = NULL;
	struct sampler sampler;
	struct err err;
	int fd;

	(void)state;
	assert_ok(scoreboard_create(2, &board, &fd, &err));
	close(fd);
	*scoreboard_gauge(board, GAUGE_sandboxes_idle) = 5;
	*scoreboard_gauge(board, GAUGE_waiting) = 7;
	*scoreboard_spool_bytes(board) = 1234;
	avoid_the_full_minute();
	sampler_init(&sampler, "node-1", "/tmp");
	assert_ok(sampler_run(&sampler, board, db, &err));
	assert_int_equal(pg_scratch_number(pg, "select count(*) from system_samples"), 0);

	usleep(1000000); /* processor time is counted in hundredths of a second */
	sampler.due_us = clock_wall_us() - 1;
	for (int i = 0; i < 3; i++)
		assert_ok(sampler_run(&sampler, board, db, &err));
	assert_int_equal(pg_scratch_number(pg, "select count(*) from system_samples"), 1);
	assert_int_equal(
		pg_scratch_number(
			pg,
			"select count(*) from system_samples where node = 'node-1' and sandboxes_idle = 5 "
			"and waiting = 7 and spool_bytes = 1234 and cpu_count = %ld and cpu_cores between 0 and %ld + 0.5 "
			"and memory_bytes between 1 and memory_total_bytes and disk_bytes between 1 and "
			"disk_total_bytes and extract(epoch from at) = %ld",
			sysconf(_SC_NPROCESSORS_ONLN), sysconf(_SC_NPROCESSORS_ONLN), (long)(sampler.due_us / 1000000) - 120),
		1);
}

static void a_clock_that_was_set_back_does_not_stop_it(void **state)
{
	AUTO(conf_free) struct conf *conf = pg_scratch_conf(pg);
	AUTO(db_free) struct db *db = db_new(conf, "test");
	AUTO(scoreboard_close) struct scoreboard *board = NULL;
	struct sampler sampler;
	struct err err;
	int fd;

	(void)state;
	assert_ok(scoreboard_create(2, &board, &fd, &err));
	close(fd);
	sampler_init(&sampler, "node-2", "/tmp");
	sampler.due_us = clock_wall_us() + 86400000000ll;
	assert_ok(sampler_run(&sampler, board, db, &err));
	assert_int_equal(pg_scratch_number(pg, "select count(*) from system_samples where node = 'node-2'"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_sample_a_minute_tells_the_machine_and_the_pool),
		cmocka_unit_test(a_clock_that_was_set_back_does_not_stop_it),
	};

	return cmocka_run_group_tests(tests, set_up, pg_group_stop);
}
