/* One round at a time; how rounds follow each other is in test_collector_main.c. */
#include "collector/round.h"

#include "base/fd.h"
#include "base/log.h"
#include "base/mem.h"
#include "collector/collector.h"
#include "tests/unit/collector/storing_rig.h"

static struct scoreboard *board;
static struct collector c;

static int set_up(void **state)
{
	struct err err;

	storing_set_up(state);
	struct storing_rig *r = *state;
	AUTO(fd_close) int board_fd = -1;
	log_init("test", LOG_ERROR + 1); /* what it says is not looked at */
	assert_ok(scoreboard_create(2, &board, &board_fd, &err));
	c = (struct collector){
		.conf = r->conf,
		.db = r->db,
		.spool = r->spool,
		.batch_limit = (size_t)r->conf->collector_batch_bytes,
		.board = board,
		.slot = scoreboard_slot(board, 1),
		.failing = -1,
	};
	sampler_init(&c.sampler, r->spool->node, "/");
	return 0;
}

static int tear_down(void **state)
{
	spool_batch_free(&c.batch);
	scoreboard_close(&board);
	return storing_tear_down(state);
}

static uint64_t pending_bytes(void)
{
	return atomic_load(scoreboard_spool_bytes(board));
}

static bool is_storing(void)
{
	return atomic_load(scoreboard_stores(board));
}

static void what_the_spool_holds_is_stored_and_counted(void **state)
{
	struct storing_rig *r = *state;

	writer_records(&r->writer, 12);
	round_run(&c);
	assert_int_equal(storing_count(), 12);
	assert_int_equal(atomic_load(&c.slot->requests), 12);
	assert_int_equal(atomic_load(&c.slot->state), SLOT_IDLE);
	assert_int_equal(pending_bytes(), 0);
	assert_true(is_storing());
	writer_records(&r->writer, 3);
	round_run(&c);
	assert_int_equal(storing_count(), 15);
}

static void a_file_goes_once_it_is_stored_and_its_writer_is_gone(void **state)
{
	struct storing_rig *r = *state;

	writer_records(&r->writer, 2);
	round_run(&c);
	assert_true(file_size(&r->dir, r->writer.name) > 0);
	writer_close(&r->writer);
	writer_open(&r->dir, &r->writer); /* another one */
	c.offsets_known = false;          /* as in a new collector, which looks at each file again */
	round_run(&c);
	assert_int_equal(pg_scratch_number(pg, "select count(*) from spool_offsets"), 0);
	assert_int_equal(storing_count(), 2);
}

static void what_cannot_be_stored_stays_and_is_stored_by_a_later_round(void **state)
{
	struct storing_rig *r = *state;

	pg_scratch_exec(pg, "create function fail() returns trigger language plpgsql as "
			    "$$ begin raise 'no space left' using errcode = 'disk_full'; end $$");
	pg_scratch_exec(pg, "create trigger fail before insert on metrics for each row execute function fail()");
	writer_records(&r->writer, 4);
	round_run(&c);
	assert_int_equal(storing_count(), 0);
	assert_int_equal(pending_bytes(), file_size(&r->dir, r->writer.name));
	assert_false(is_storing());
	pg_scratch_exec(pg, "drop trigger fail on metrics");
	round_run(&c);
	assert_int_equal(storing_count(), 4);
	assert_true(is_storing());
}

static void who_was_told_to_stop_never_looks_idle_again(void **state)
{
	struct storing_rig *r = *state;

	writer_records(&r->writer, 1);
	c.stopping = true;
	round_run(&c);
	assert_int_equal(storing_count(), 1);
	assert_int_equal(atomic_load(&c.slot->state), SLOT_STOPPING);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_the_spool_holds_is_stored_and_counted),
		TEST(a_file_goes_once_it_is_stored_and_its_writer_is_gone),
		TEST(what_cannot_be_stored_stays_and_is_stored_by_a_later_round),
		TEST(who_was_told_to_stop_never_looks_idle_again),
	};

	return cmocka_run_group_tests(tests, pg_group_start, pg_group_stop);
}
