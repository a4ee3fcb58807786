#include "ipc/scoreboard.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "tests/unit/unit.h"

static void new_slots_are_free(void **state)
{
	AUTO(scoreboard_close) struct scoreboard *board = NULL;
	AUTO(fd_close) int fd = -1;
	struct err err;

	(void)state;
	assert_ok(scoreboard_create(100, &board, &fd, &err));
	assert_int_equal(scoreboard_count(board), 100);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(scoreboard_slot(board, i)->state, SLOT_FREE);
		assert_int_equal(scoreboard_slot(board, i)->pid, 0);
		assert_int_equal(scoreboard_slot(board, i)->has_turn, 0);
	}
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void slots_do_not_share_a_cache_line(void **state)
{
	AUTO(scoreboard_close) struct scoreboard *board = NULL;
	AUTO(fd_close) int fd = -1;
	struct err err;

	(void)state;
	assert_ok(scoreboard_create(2, &board, &fd, &err));
	assert_true((char *)scoreboard_slot(board, 1) - (char *)scoreboard_slot(board, 0) >= 64);
	assert_true((char *)scoreboard_slot(board, 0) - (char *)scoreboard_spool_bytes(board) >= 64);
}

static void what_a_child_writes_the_master_sees(void **state)
{
	AUTO(scoreboard_close) struct scoreboard *board = NULL;
	AUTO(fd_close) int fd = -1;
	struct err err;
	int status;

	(void)state;
	assert_ok(scoreboard_create(3, &board, &fd, &err));
	pid_t pid = fork();
	if (pid == 0) {
		struct scoreboard *mine;
		if (scoreboard_attach(fd, &mine, &err) < 0 || scoreboard_count(mine) != 3)
			_exit(1);
		scoreboard_slot(mine, 2)->state = SLOT_BUSY;
		scoreboard_slot(mine, 2)->requests = 42;
		*scoreboard_spool_bytes(mine) = 1000;
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(scoreboard_slot(board, 2)->state, SLOT_BUSY);
	assert_int_equal(scoreboard_slot(board, 2)->requests, 42);
	assert_int_equal(scoreboard_slot(board, 1)->state, SLOT_FREE);
	assert_int_equal(*scoreboard_spool_bytes(board), 1000);
}

static void a_child_cannot_cut_it_off_or_make_it_lie_about_its_size(void **state)
{
	AUTO(scoreboard_close) struct scoreboard *board = NULL;
	AUTO(fd_close) int fd = -1;
	struct err err;

	(void)state;
	assert_ok(scoreboard_create(3, &board, &fd, &err));
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(ftruncate(fd, 1 << 20), -1);
	memset(scoreboard_slot(board, 0), 0xff, sizeof(struct slot));
	*scoreboard_spool_bytes(board) = UINT64_MAX;
	assert_int_equal(scoreboard_count(board), 3);
}

static void what_is_no_scoreboard_is_refused(void **state)
{
	AUTO(fd_close) int fd = memfd_create("empty", MFD_CLOEXEC);
	struct scoreboard *board = NULL;
	struct err err;

	(void)state;
	assert_fails(scoreboard_attach(fd, &board, &err), "scoreboard of 0 bytes");
	assert_fails(scoreboard_attach(-1, &board, &err), "Bad file descriptor");
	assert_null(board);
	scoreboard_close(&board);
}

static void what_is_in_use_never_reaches_beyond_the_slots(void **state)
{
	static const struct {
		int said, used;
	} cases[] = {{2, 2}, {3, 3}, {4, 3}, {INT32_MAX, 3}, {-1, 0}, {INT32_MIN, 0}, {1, 1}};
	AUTO(scoreboard_close) struct scoreboard *board = NULL, *other = NULL;
	AUTO(fd_close) int fd = -1;
	struct err err;

	(void)state;
	assert_ok(scoreboard_create(3, &board, &fd, &err));
	assert_ok(scoreboard_attach(fd, &other, &err));
	assert_int_equal(scoreboard_used(other), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		scoreboard_set_used(board, cases[i].said);
		assert_int_equal(scoreboard_used(other), cases[i].used);
	}
}

static void take_slot(struct scoreboard *board, int index, enum child_role role, enum slot_state state, uint64_t requests)
{
	struct slot *slot = scoreboard_slot(board, index);

	slot->role = role;
	slot->pid = 4711;
	slot->state = state;
	slot->requests = requests;
	slot->dropped_records = requests / 10;
}

static void processes_are_summed_by_role_and_what_those_that_are_gone_did_still_counts(void **state)
{
	AUTO(scoreboard_close) struct scoreboard *board = NULL;
	AUTO(fd_close) int fd = -1;
	struct err err;

	(void)state;
	assert_ok(scoreboard_create(5, &board, &fd, &err));
	take_slot(board, 0, CHILD_INVOKE, SLOT_BUSY, 100);
	take_slot(board, 1, CHILD_INVOKE, SLOT_IDLE, 10);
	take_slot(board, 2, CHILD_CONTROL, SLOT_IDLE, 7);
	take_slot(board, 4, CHILD_INVOKE, SLOT_IDLE, 1000);
	scoreboard_set_used(board, 4); /* the last one is none */
	for (int i = 0; i < 2; i++) {
		struct scoreboard_sum sum = scoreboard_sum(board, CHILD_INVOKE);
		assert_int_equal(sum.states[SLOT_BUSY], i == 0);
		assert_int_equal(sum.states[SLOT_IDLE], 1);
		assert_int_equal(sum.states[SLOT_FREE] + sum.states[SLOT_STARTING] + sum.states[SLOT_STOPPING], 0);
		assert_int_equal(sum.requests, 110);
		assert_int_equal(sum.dropped_records, 11);
		scoreboard_retire(board, 0);
	}
	assert_int_equal(scoreboard_slot(board, 0)->state, SLOT_FREE);
	assert_int_equal(scoreboard_slot(board, 0)->requests, 0);
	assert_int_equal(scoreboard_sum(board, CHILD_CONTROL).requests, 7);
	assert_int_equal(scoreboard_sum(board, CHILD_WARDEN).requests, 0);
}

struct retiring {
	struct scoreboard *board;
	_Atomic bool done;
};

static void *retire_again_and_again(void *arg)
{
	struct retiring *r = arg;

	for (int i = 0; i < 100000; i++) {
		take_slot(r->board, 0, CHILD_INVOKE, SLOT_BUSY, 10);
		scoreboard_retire(r->board, 0);
	}
	r->done = true;
	return NULL;
}

static void a_count_never_goes_back_while_slots_are_retired(void **state)
{
	AUTO(scoreboard_close) struct scoreboard *board = NULL;
	AUTO(fd_close) int fd = -1;
	uint64_t before = 0;
	struct err err;
	pthread_t thread;

	(void)state;
	assert_ok(scoreboard_create(1, &board, &fd, &err));
	scoreboard_set_used(board, 1);
	struct retiring r = {.board = board};
	assert_int_equal(pthread_create(&thread, NULL, retire_again_and_again, &r), 0);
	while (!r.done) {
		uint64_t now = scoreboard_sum(board, CHILD_INVOKE).requests;
		assert_true(now >= before);
		before = now;
	}
	pthread_join(thread, NULL);
	assert_int_equal(scoreboard_sum(board, CHILD_INVOKE).requests, 1000000);
}

/* Any child may write anywhere. */
static void nonsense_in_a_slot_is_not_counted(void **state)
{
	AUTO(scoreboard_close) struct scoreboard *board = NULL;
	AUTO(fd_close) int fd = -1;
	struct err err;

	(void)state;
	assert_ok(scoreboard_create(2, &board, &fd, &err));
	scoreboard_set_used(board, 2);
	memset(scoreboard_slot(board, 0), 0xff, sizeof(struct slot));
	take_slot(board, 1, CHILD_INVOKE, SLOT_STATE_COUNT, 5);
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++)
		assert_int_equal(scoreboard_sum(board, role).requests, 0);
	scoreboard_retire(board, 0);
	for (enum child_role role = 0; role < CHILD_ROLE_COUNT; role++)
		assert_int_equal(scoreboard_sum(board, role).requests, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(new_slots_are_free),
		cmocka_unit_test(slots_do_not_share_a_cache_line),
		cmocka_unit_test(what_a_child_writes_the_master_sees),
		cmocka_unit_test(a_child_cannot_cut_it_off_or_make_it_lie_about_its_size),
		cmocka_unit_test(what_is_no_scoreboard_is_refused),
		cmocka_unit_test(processes_are_summed_by_role_and_what_those_that_are_gone_did_still_counts),
		cmocka_unit_test(a_count_never_goes_back_while_slots_are_retired),
		cmocka_unit_test(nonsense_in_a_slot_is_not_counted),
		cmocka_unit_test(what_is_in_use_never_reaches_beyond_the_slots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
