#include "worker/lanes.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "ipc/inherited.h"
#include "tests/unit/unit.h"

#define LANES    3
#define SLOTS    40
#define FIRST_FD 100

struct fixture {
	char *dir;
	int epoll_fd, board_fd;
	struct scoreboard *board;
	struct lanes *lanes;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char name[16];
	struct err err = {0};

	f->dir = unit_make_dir();
	AUTO(fd_close) int dir_fd = open(f->dir, O_PATH | O_CLOEXEC);
	for (int i = 0; i < LANES; i++) {
		snprintf(name, sizeof(name), "%d", i);
		AUTO(fd_close) int fd = fd_listen_unix(dir_fd, name, SOCK_STREAM, 0600, 16, &err);
		assert_int_equal(dup3(fd, FIRST_FD + i, O_CLOEXEC), FIRST_FD + i);
	}
	f->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	assert_ok(scoreboard_create(SLOTS, &f->board, &f->board_fd, &err));
	scoreboard_set_used(f->board, SLOTS);
	struct lanes_plan plan = {FIRST_FD, LANES, f->epoll_fd, f->board, CHILD_INVOKE, SLOTS, false};
	assert_ok(lanes_new(&plan, &f->lanes, &err));
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	lanes_free(&f->lanes);
	for (int i = 0; i < LANES; i++)
		close(FIRST_FD + i);
	fd_close(&f->epoll_fd);
	fd_close(&f->board_fd);
	scoreboard_close(&f->board);
	unit_remove_dir(&f->dir);
	free(f);
	return 0;
}

/* The descriptors of both ends are left to the end of the process. */
static void connect_to(struct fixture *f, int lane)
{
	char path[200];
	struct err err;

	snprintf(path, sizeof(path), "%s/%d", f->dir, lane);
	assert_true(fd_connect_unix(path, SOCK_STREAM, &err) >= 0);
}

/* So many workers are busy, and wait for a sandbox when lane is one. */
static void occupy(struct fixture *f, int from, int count, int lane)
{
	for (int i = from; i < from + count; i++) {
		atomic_store(&scoreboard_slot(f->board, i)->state, SLOT_BUSY);
		atomic_store(&scoreboard_slot(f->board, i)->waits_in, (uint32_t)lane + 1);
	}
}

/* The lanes that are ready, in the order they are reported, as a number: 12 for 1, then 2. */
static int ready(struct fixture *f, bool accepts)
{
	struct epoll_event events[LANES];
	struct err err;
	int found = 0;

	assert_ok(lanes_watch(f->lanes, accepts, &err));
	int n = epoll_wait(f->epoll_fd, events, LANES, 0);
	for (int i = 0; i < n; i++)
		found = found * 10 + lanes_find(f->lanes, events[i].data.fd);
	return found;
}

static void a_worker_that_does_not_accept_watches_none(void **state)
{
	struct fixture *f = *state;

	connect_to(f, 1);
	assert_int_equal(ready(f, false), 0);
	assert_int_equal(ready(f, true), 1);
	assert_int_equal(ready(f, false), 0);
}

static void what_is_accepted_is_a_blocking_connection_and_nothing_blocks_when_there_is_none(void **state)
{
	struct fixture *f = *state;

	connect_to(f, 2);
	AUTO(fd_close) int fd = lanes_accept(f->lanes, 2);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	assert_int_equal(lanes_accept(f->lanes, 2), -1);
	assert_int_equal(lanes_find(f->lanes, FIRST_FD + LANES), -1);
	assert_int_equal(lanes_find(f->lanes, FIRST_FD - 1), -1);
}

static void lanes_with_much_to_do_are_reported_in_turn(void **state)
{
	struct fixture *f = *state;
	struct epoll_event e;
	int order = 0;
	struct err err;

	for (int i = 0; i < 4; i++) {
		connect_to(f, 1);
		connect_to(f, 2);
	}
	assert_ok(lanes_watch(f->lanes, true, &err));
	for (int i = 0; i < 4; i++) {
		assert_int_equal(epoll_wait(f->epoll_fd, &e, 1, 0), 1);
		order = order * 10 + lanes_find(f->lanes, e.data.fd);
		close(lanes_accept(f->lanes, lanes_find(f->lanes, e.data.fd)));
	}
	assert_true(order == 1212 || order == 2121);
}

static void a_lane_in_which_many_wait_for_sandboxes_is_shut_until_fewer_do(void **state)
{
	struct fixture *f = *state;

	connect_to(f, 1);
	connect_to(f, 2);
	occupy(f, 0, 7, 1); /* 33 are free: eight may wait */
	assert_int_equal(ready(f, true) % 10 + ready(f, true) / 10, 3);
	occupy(f, 7, 1, 1);
	assert_int_equal(ready(f, true), 2);
	assert_true(lanes_any_shut(f->lanes));
	atomic_store(&scoreboard_slot(f->board, 0)->waits_in, 0); /* it has its sandbox */
	atomic_store(&scoreboard_slot(f->board, 1)->waits_in, 0);
	assert_int_equal(ready(f, true) % 10 + ready(f, true) / 10, 3);
	assert_false(lanes_any_shut(f->lanes));
}

static void with_hardly_a_free_worker_one_may_still_wait_in_each_lane(void **state)
{
	struct fixture *f = *state;

	connect_to(f, 0);
	connect_to(f, 1);
	occupy(f, 0, SLOTS - 1, -1);
	occupy(f, 0, 1, 0);
	assert_int_equal(ready(f, true), 1);
}

static void who_is_not_busy_does_not_wait(void **state)
{
	struct fixture *f = *state;

	connect_to(f, 1);
	occupy(f, 0, SLOTS, 1);
	for (int i = 0; i < SLOTS; i++) /* killed while it waited */
		atomic_store(&scoreboard_slot(f->board, i)->state, SLOT_FREE);
	assert_int_equal(ready(f, true), 1);
}

/* From now on a lane is a caller's, of four workers. */
static void keep_callers_apart(struct fixture *f)
{
	struct lanes_plan plan = {FIRST_FD, LANES, f->epoll_fd, f->board, CHILD_DEPLOY, 4, true};
	struct err err;

	lanes_free(&f->lanes);
	assert_ok(lanes_new(&plan, &f->lanes, &err));
	for (int i = 0; i < SLOTS; i++)
		atomic_store(&scoreboard_slot(f->board, i)->role, CHILD_DEPLOY);
}

static bool enter(struct fixture *f, int slot, int lane)
{
	return lanes_enter(f->lanes, scoreboard_slot(f->board, slot), lane);
}

static void one_caller_has_half_of_the_workers_at_most(void **state)
{
	struct fixture *f = *state;

	keep_callers_apart(f);
	connect_to(f, 0);
	connect_to(f, 1);
	assert_true(enter(f, 0, 1) && enter(f, 1, 1));
	assert_false(enter(f, 2, 1));
	assert_int_equal(atomic_load(&scoreboard_slot(f->board, 2)->state), SLOT_IDLE);
	assert_true(enter(f, 2, 2));
	assert_int_equal(ready(f, true), 0); /* lane 0 alone */
	assert_true(lanes_any_shut(f->lanes));
	lanes_leave(f->lanes, scoreboard_slot(f->board, 0));
	assert_true(enter(f, 0, 1));
}

static void workers_of_another_pool_count_for_nothing(void **state)
{
	struct fixture *f = *state;

	keep_callers_apart(f);
	for (int i = 0; i < 4; i++) {
		atomic_store(&scoreboard_slot(f->board, i)->role, i % 2 ? CHILD_INVOKE : CHILD_QUERY);
		occupy(f, i, 1, 1);
	}
	assert_true(enter(f, 5, 1) && enter(f, 6, 1));
	assert_false(enter(f, 7, 1));
}

static void who_was_killed_with_a_request_leaves_its_place(void **state)
{
	struct fixture *f = *state;

	keep_callers_apart(f);
	assert_true(enter(f, 0, 1) && enter(f, 1, 1));
	scoreboard_retire(f->board, 0);
	assert_true(enter(f, 2, 1));
}

static void lanes_of_functions_are_entered_without_a_word(void **state)
{
	struct fixture *f = *state;

	occupy(f, 0, SLOTS - 1, 1);
	assert_true(enter(f, SLOTS - 1, 1));
	assert_int_equal(atomic_load(&scoreboard_slot(f->board, SLOTS - 1)->waits_in), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_worker_that_does_not_accept_watches_none),
		TEST(what_is_accepted_is_a_blocking_connection_and_nothing_blocks_when_there_is_none),
		TEST(lanes_with_much_to_do_are_reported_in_turn),
		TEST(a_lane_in_which_many_wait_for_sandboxes_is_shut_until_fewer_do),
		TEST(with_hardly_a_free_worker_one_may_still_wait_in_each_lane),
		TEST(who_is_not_busy_does_not_wait),
		TEST(one_caller_has_half_of_the_workers_at_most),
		TEST(workers_of_another_pool_count_for_nothing),
		TEST(who_was_killed_with_a_request_leaves_its_place),
		TEST(lanes_of_functions_are_entered_without_a_word),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
