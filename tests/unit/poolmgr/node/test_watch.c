#include "tests/unit/unit.h"

#include <sys/socket.h>

#include "base/clock.h"
#include "base/fd.h"
#include "poolmgr/node/watch.h"

static uv_loop_t loop;

struct seen {
	struct watch *watch;
	int fd;
	int count, events;
	bool free_it;
};

static void on_event(int events, void *arg)
{
	struct seen *seen = arg;

	seen->count++;
	seen->events |= events;
	if (seen->free_it)
		watch_free(&seen->watch);
}

static int start(void **state)
{
	(void)state;
	return uv_loop_init(&loop);
}

/* Fails when a watch was left behind. */
static int stop(void **state)
{
	(void)state;
	uv_run(&loop, UV_RUN_NOWAIT);
	return uv_loop_close(&loop);
}

static void turn(void)
{
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void what_can_be_read_is_told_until_it_was_read(void **state)
{
	AUTO(fd_close) int a = -1;
	struct seen seen = {0};
	int pair[2];
	char c;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	a = pair[0];
	AUTO(fd_close) int b = pair[1];
	seen.watch = watch_new(&loop, a, UV_READABLE, on_event, &seen);
	turn();
	assert_int_equal(seen.count, 0);
	assert_int_equal(write(b, "x", 1), 1);
	turn();
	turn();
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.events, UV_READABLE);
	assert_int_equal(read(a, &c, 1), 1);
	turn();
	assert_int_equal(seen.count, 2);
	watch_free(&seen.watch);
}

static void the_end_of_the_other_side_is_told_without_reading(void **state)
{
	struct seen seen = {.free_it = true};
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	AUTO(fd_close) int a = pair[0];
	seen.watch = watch_new(&loop, a, UV_DISCONNECT, on_event, &seen);
	assert_int_equal(write(pair[1], "unread", 6), 6);
	turn();
	assert_int_equal(seen.count, 0);
	fd_close(&pair[1]);
	turn();
	assert_int_equal(seen.count, 1);
	assert_true(seen.events & UV_DISCONNECT);
}

static void the_events_can_be_changed(void **state)
{
	struct seen seen = {0};
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	AUTO(fd_close) int a = pair[0];
	AUTO(fd_close) int b = pair[1];
	seen.watch = watch_new(&loop, a, UV_READABLE, on_event, &seen);
	turn();
	assert_int_equal(seen.count, 0);
	watch_set_events(seen.watch, UV_READABLE | UV_WRITABLE);
	turn();
	assert_int_equal(seen.events, UV_WRITABLE);
	watch_set_events(seen.watch, UV_READABLE);
	seen.count = 0;
	turn();
	assert_int_equal(seen.count, 0);
	watch_free(&seen.watch);
}

static void a_freed_watch_says_nothing_and_its_descriptor_can_be_watched_again_at_once(void **state)
{
	struct seen first = {0}, second = {.free_it = true};
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	AUTO(fd_close) int a = pair[0];
	AUTO(fd_close) int b = pair[1];
	first.watch = watch_new(&loop, a, UV_READABLE, on_event, &first);
	assert_int_equal(write(b, "x", 1), 1);
	watch_free(&first.watch);
	assert_null(first.watch);
	watch_free(&first.watch);
	second.watch = watch_new(&loop, a, UV_READABLE, on_event, &second);
	turn();
	assert_int_equal(first.count, 0);
	assert_int_equal(second.count, 1);
}

static void a_watch_may_be_freed_by_its_own_callback_with_the_descriptor(void **state)
{
	struct seen seen = {.free_it = true};
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	seen.watch = watch_new(&loop, pair[0], UV_READABLE, on_event, &seen);
	assert_int_equal(write(pair[1], "x", 1), 1);
	turn();
	assert_null(seen.watch);
	fd_close(&pair[0]);
	fd_close(&pair[1]);
	turn();
	assert_int_equal(seen.count, 1);
}

static void a_connection_that_was_reset_wakes_its_owner(void **state)
{
	struct seen seen = {.free_it = true};
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	AUTO(fd_close) int a = pair[0];
	assert_int_equal(write(a, "never read", 10), 10);
	seen.watch = watch_new(&loop, a, UV_READABLE, on_event, &seen);
	fd_close(&pair[1]); /* with unread bytes: ECONNRESET, which libuv tells as an error */
	turn();
	assert_int_equal(seen.count, 1);
	assert_true(seen.events & UV_READABLE);
}

static void what_was_sent_before_a_reset_is_told_as_well(void **state)
{
	struct seen seen = {0};
	int pair[2];
	char c;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	AUTO(fd_close) int a = pair[0];
	assert_int_equal(write(a, "never read", 10), 10);
	assert_int_equal(write(pair[1], "x", 1), 1);
	seen.watch = watch_new(&loop, a, UV_READABLE, on_event, &seen);
	fd_close(&pair[1]);
	turn();
	assert_int_equal(seen.count, 1);
	assert_int_equal(read(a, &c, 1), -1); /* ECONNRESET comes first */
	turn();
	assert_int_equal(seen.count, 2);
	assert_int_equal(read(a, &c, 1), 1);
	watch_free(&seen.watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_can_be_read_is_told_until_it_was_read, start, stop),
		cmocka_unit_test_setup_teardown(the_end_of_the_other_side_is_told_without_reading, start, stop),
		cmocka_unit_test_setup_teardown(the_events_can_be_changed, start, stop),
		cmocka_unit_test_setup_teardown(a_freed_watch_says_nothing_and_its_descriptor_can_be_watched_again_at_once,
						start, stop),
		cmocka_unit_test_setup_teardown(a_watch_may_be_freed_by_its_own_callback_with_the_descriptor, start, stop),
		cmocka_unit_test_setup_teardown(a_connection_that_was_reset_wakes_its_owner, start, stop),
		cmocka_unit_test_setup_teardown(what_was_sent_before_a_reset_is_told_as_well, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
