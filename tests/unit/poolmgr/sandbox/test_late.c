#include "poolmgr/sandbox/late.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "output/printed.h"
#include "poolmgr/sandbox/bill.h"
#include "tests/unit/poolmgr/sandbox_rig.h"

static struct scoreboard *board;
static int out[2], error[2]; /* the host's ends, and the sandbox's */

static int each(void **state)
{
	AUTO(fd_close) int fd = -1;
	struct err err;

	sandbox_rig_each(state);
	assert_ok(scoreboard_create(4, &board, &fd, &err));
	bill_init(rig.conf, board, 1);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, out), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, error), 0);
	return 0;
}

static int after_each(void **state)
{
	for (int i = 0; i < 2; i++) {
		fd_close(&out[i]);
		fd_close(&error[i]);
	}
	rig.conf->spool_enabled = false; /* what is read is not written here */
	bill_tick(clock_mono_us(), true);
	rig.conf->spool_enabled = true;
	scoreboard_close(&board);
	return sandbox_rig_nothing_leaks(state);
}

#define PRINT(fd, text) assert_int_equal(fd_write_all(fd, text, sizeof(text) - 1, NULL), 0)

static void what_was_left_behind_is_read_and_uses_up_the_room_of_its_invocation(void **state)
{
	struct late late = {{{5}}, (uint64_t)clock_wall_us(), 10};

	(void)state;
	late_read(&late, &version, out[0], error[0]);
	assert_false(bill_is_pending());
	PRINT(out[1], "one\n");
	PRINT(error[1], PRINTED_FAILED "boom\n");
	late_read(&late, &version, out[0], error[0]);
	assert_true(bill_is_pending());
	assert_int_equal(late.room, 1);
	assert_int_equal(scoreboard_tally(board, 1)->late_errors[0], 1);
}

static void without_an_invocation_or_room_nothing_is_read(void **state)
{
	struct late none = {.room = 10}, full = {{{5}}, 1, 0};
	char text[8];

	(void)state;
	PRINT(out[1], "one\n");
	late_read(&none, &version, out[0], error[0]);
	late_read(&full, &version, out[0], error[0]);
	assert_false(bill_is_pending());
	assert_int_equal(recv(out[0], text, sizeof(text), MSG_DONTWAIT), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_left_behind_is_read_and_uses_up_the_room_of_its_invocation, each,
						after_each),
		cmocka_unit_test_setup_teardown(without_an_invocation_or_room_nothing_is_read, each, after_each),
	};

	return cmocka_run_group_tests(tests, sandbox_rig_set_up, engine_rig_tear_down);
}
